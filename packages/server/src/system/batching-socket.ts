/** A socket for the database: what is written within one turn of the event loop leaves by one system call. */
import { Socket } from 'node:net';

/** Statements of one pipeline, which are sent one by one without waiting, so leave together. */
export function makeBatchingSocket(): Socket {
  return new BatchingSocket();
}

/** Whoever writes corks around its write; the first of a turn corks until the turn is over. */
class BatchingSocket extends Socket {
  #isBatching = false;

  override cork(): void {
    super.cork();
    if (this.#isBatching) return;
    this.#isBatching = true;
    super.cork();
    process.nextTick(() => {
      this.#isBatching = false;
      this.uncork();
    });
  }
}
