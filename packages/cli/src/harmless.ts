/** Text from elsewhere must not move the cursor, colour the screen or hide what follows. */

/** Control characters but line feed and tab, and the marks that turn the direction of writing. */
// oxlint-disable-next-line no-control-regex -- control characters are what this is about
const DANGEROUS = /[\u0000-\u0008\u000b-\u001f\u007f-\u009f\u200e\u200f\u202a-\u202e\u2066-\u2069]/g;

export function makeHarmless(text: string): string {
  return text.replace(DANGEROUS, '\ufffd');
}
