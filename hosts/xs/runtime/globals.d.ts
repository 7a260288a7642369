// What the bare engine (xsnap-worker) offers beside the language.

declare const performance: { now(): number };

declare class TextEncoder {
  encode(text: string): Uint8Array<ArrayBuffer>;
}

declare class TextDecoder {
  decode(bytes: Uint8Array | ArrayBuffer): string;
}
