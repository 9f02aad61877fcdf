/** Text from elsewhere must not move the cursor, colour the screen or hide what follows. */

/**
 * Control characters but line feed and tab; further line ends; marks that turn the direction of writing (Unicode Annex 9);
 * halves of characters.
 */
const DANGEROUS = /(?![\n\t])[\p{Cc}\p{Zl}\p{Zp}\p{Bidi_Control}\p{Cs}]/gu;

/** `'a\u001b[2J'` → `'a\ufffd[2J'`: each is replaced by one visible mark. */
export function makeHarmless(text: string): string {
  return text.replace(DANGEROUS, '\ufffd');
}
