/** Whatever tells a good image from a bad one. */
export function isGood(): boolean {
  return true;
}
