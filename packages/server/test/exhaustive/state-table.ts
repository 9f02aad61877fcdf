/**
 * States as four words of 32 bits each, in the order in which they were found: what is searched next is the next row. The
 * words name the state exactly, so no two are ever taken for one. A state takes 28 to 36 bytes.
 */
const WORDS = 4;
const FIRST_CAPACITY = 1 << 16;
const NONE = 0xffff_ffff;

export type Words = readonly [number, number, number, number];

export class StateTable {
  size = 0;
  #words = new Uint32Array(FIRST_CAPACITY * WORDS);
  #parents = new Uint32Array(FIRST_CAPACITY);
  /** Open addressing, at most half full. */
  #slots = new Uint32Array(FIRST_CAPACITY * 2).fill(NONE);

  /** The place of a state that is new, -1 when it was known. */
  add([a, b, c, d]: Words, parent: number): number {
    const slot = this.#findSlot(a, b, c, d);
    if (this.#slots[slot] !== NONE) return -1;
    const index = this.size;
    if (index === this.#parents.length) {
      this.#grow();
      return this.add([a, b, c, d], parent);
    }
    this.#slots[slot] = index;
    const at = index * WORDS;
    this.#words[at] = a;
    this.#words[at + 1] = b;
    this.#words[at + 2] = c;
    this.#words[at + 3] = d;
    this.#parents[index] = parent;
    this.size += 1;
    return index;
  }

  wordsAt(index: number): Words {
    const at = index * WORDS;
    const words = this.#words;
    return [words[at] ?? 0, words[at + 1] ?? 0, words[at + 2] ?? 0, words[at + 3] ?? 0];
  }

  /** The state from which that one was found first; the first one is its own. */
  parentOf(index: number): number {
    return this.#parents[index] ?? 0;
  }

  #findSlot(a: number, b: number, c: number, d: number): number {
    const slots = this.#slots;
    const words = this.#words;
    const mask = slots.length - 1;
    // At most half are taken, so that a free one comes.
    for (let slot = mix(a, b, c, d) & mask; ; slot = (slot + 1) & mask) {
      const index = slots[slot] ?? NONE;
      const at = index * WORDS;
      const isSame = words[at] === a && words[at + 1] === b && words[at + 2] === c && words[at + 3] === d;
      if (index === NONE || isSame) return slot;
    }
  }

  #grow(): void {
    const words = new Uint32Array(this.#words.length * 2);
    words.set(this.#words);
    const parents = new Uint32Array(this.#parents.length * 2);
    parents.set(this.#parents);
    this.#words = words;
    this.#parents = parents;
    this.#slots = new Uint32Array(parents.length * 2).fill(NONE);
    for (let index = 0; index < this.size; index += 1) {
      const [a, b, c, d] = this.wordsAt(index);
      this.#slots[this.#findSlot(a, b, c, d)] = index;
    }
  }
}

/** Spreads the words over 32 bits, in the way of MurmurHash3. */
function mix(a: number, b: number, c: number, d: number): number {
  let hash = 0;
  hash = mixIn(mixIn(mixIn(mixIn(hash, a), b), c), d);
  hash = Math.imul(hash ^ (hash >>> 16), 0x85ebca6b);
  hash = Math.imul(hash ^ (hash >>> 13), 0xc2b2ae35);
  return (hash ^ (hash >>> 16)) >>> 0;
}

function mixIn(hash: number, word: number): number {
  let k = Math.imul(word, 0xcc9e2d51);
  k = Math.imul((k << 15) | (k >>> 17), 0x1b873593);
  const mixed = hash ^ k;
  return (Math.imul((mixed << 13) | (mixed >>> 19), 5) + 0xe6546b64) | 0;
}
