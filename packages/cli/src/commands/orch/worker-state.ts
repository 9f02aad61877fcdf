/** What is said of a worker: one whose lease has run out does not live, also when nobody is left to declare it dead. */

export interface KnownWorker {
  readonly state: string;
  readonly leaseUntil: string;
}

export function stateOfWorker({ state, leaseUntil }: KnownWorker, nowMs: number): string {
  return state === 'live' && Date.parse(leaseUntil) <= nowMs ? 'silent' : state;
}
