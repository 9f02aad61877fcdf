/** What the production build has in the place of `planted-bugs.ts`: a call of an empty function is left out of a bundle. */
export function isPlanted(): void {
  // Nothing is planted.
}
