/** What the sequencer asks of the database. */
export interface SequencerStore {
  /** Appends at most `limit` events to the global chain, in one transaction; answers how many. */
  appendToChain(limit: number): Promise<number>;
}
