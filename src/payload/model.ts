/**
 * The numbers of the coded bits, which encoder and decoder share. Bits in docs/SPEC.md, "Payloads".
 * @module
 */

/** Probabilities are of a 0, in 2048th; all begin in the middle. */
export const HALF = 1024;
/** The range of 31 bits, so that integers stay small on XS; below this it takes in a byte. */
export const RANGE = 0x7fffffff;
export const LOW_RANGE = 0x800000;

// Where probabilities stand. A number has a tree of 5 bits and, for each of its 25 outcomes, one of 2.
export const NUMBER = 160;
export const IS_COPY = 0;
export const IS_OTHER = 4;
export const IS_NEW = 8;
export const IS_MINUS = 9;
export const IS_REPEATED = 10;
export const DIFFERENCE = 11;
export const LITERAL = DIFFERENCE + 256;
export const OLD_LENGTH = LITERAL + 256;
export const NEW_LENGTH = OLD_LENGTH + NUMBER;
export const SHORT = NEW_LENGTH + NUMBER;
export const LONG = SHORT + NUMBER;
export const SHIFT = LONG + NUMBER;
export const PROBABILITIES = SHIFT + NUMBER;

/** Most binary digits behind the first of a number. */
export const MAX_EXPONENT = 24;
/** Copies up to this long take their distance from the short model. */
export const SHORT_LENGTH = 3;
/** Literals in a row that are still told as differences from the base. */
export const RUN = 6;
/** No copy from the base goes before. */
export const NO_RUN = 99;
