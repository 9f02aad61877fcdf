/**
 * Takes clock, timers, randomness and network away while a seed runs: whatever reaches for them throws, and the seed
 * fails with a name. Without this a seed could pass by luck, and its trace would not be a reproduction.
 */
import { SafetyViolation } from '@stella/testkit';

interface Taken {
  readonly holder: object;
  readonly member: string;
  readonly descriptor: PropertyDescriptor;
}

const FORBIDDEN: readonly (readonly [holder: object, members: readonly string[], name: string])[] = [
  [globalThis, ['setTimeout', 'setInterval', 'setImmediate', 'fetch', 'WebSocket'], 'globalThis'],
  [Date, ['now'], 'Date'],
  [Math, ['random'], 'Math'],
  [performance, ['now'], 'performance'],
  [AbortSignal, ['timeout'], 'AbortSignal'],
  [globalThis.crypto, ['getRandomValues', 'randomUUID'], 'crypto'],
];

/** What was reached for, in order. */
export interface RealWorldGuard {
  readonly breaches: readonly string[];
  /** Gives everything back. */
  lift(): void;
}

export function guardRealWorld(): RealWorldGuard {
  const taken: Taken[] = [];
  const breaches: string[] = [];
  for (const [holder, members, name] of FORBIDDEN) {
    for (const member of members) take(holder, member, `${name}.${member}`, { taken, breaches });
  }
  return {
    breaches,
    lift: () => {
      for (const { holder, member, descriptor } of taken) Object.defineProperty(holder, member, descriptor);
    },
  };
}

function take(
  holder: object,
  member: string,
  name: string,
  { taken, breaches }: { taken: Taken[]; breaches: string[] },
): void {
  const owner = ownerOf(holder, member);
  const descriptor = owner && Object.getOwnPropertyDescriptor(owner, member);
  if (!owner || !descriptor) return;
  taken.push({ holder: owner, member, descriptor });
  const refuse = (): never => {
    breaches.push(name);
    throw new SafetyViolation('real_world', `${name} was used inside of a seed`);
  };
  Object.defineProperty(owner, member, { configurable: true, writable: true, value: refuse });
}

/** The object, or the prototype, that has the member itself. */
function ownerOf(holder: object, member: string): object | null {
  for (let owner: object | null = holder; owner; owner = prototypeOf(owner)) {
    if (Object.hasOwn(owner, member)) return owner;
  }
  return null;
}

function prototypeOf(value: object): object | null {
  // Typed as any by the language's own library.
  return Object.getPrototypeOf(value) as object | null;
}
