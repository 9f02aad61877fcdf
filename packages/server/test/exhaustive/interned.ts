/** Equal values are kept once and have one number: whatever is computed of a value can be kept beside its number. */
export class Interned<Value> {
  readonly values: Value[] = [];
  readonly #numbers = new Map<string, number>();
  readonly #textOf: (value: Value) => string;

  constructor(textOf: (value: Value) => string) {
    this.#textOf = textOf;
  }

  numberOf(value: Value): number {
    const text = this.#textOf(value);
    const known = this.#numbers.get(text);
    if (known !== undefined) return known;
    const number = this.values.length;
    this.#numbers.set(text, number);
    this.values.push(value);
    return number;
  }

  at(number: number): Value {
    const value = this.values[number];
    if (value === undefined) throw new RangeError(`nothing has number ${number}`);
    return value;
  }
}

/** Computed once for each number, in a list as long as the numbers go. */
export function rememberByNumber<Value>(compute: (number: number) => Value): (number: number) => Value {
  const known: (Value | undefined)[] = [];
  return (number) => {
    const found = known[number];
    if (found !== undefined) return found;
    const value = compute(number);
    known[number] = value;
    return value;
  };
}
