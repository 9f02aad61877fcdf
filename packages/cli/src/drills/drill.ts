/** What a drill is: one cause, injected by a real fault into a world of its own. */
import type { CauseCode } from '@stella/domain';
import type { World } from './world.ts';

/** What a drill needs beyond directories and addresses that the server allows. */
export type Need =
  /** Another person, with a token of his own. */
  | 'second person'
  /** Rights to mount a small disk. */
  | 'root'
  /** A directory from which the server takes image layouts. */
  | 'layouts'
  /** The time after which a promotion counts as stalled (`stuck.after`). */
  | 'stuck.after';

export interface Drill {
  readonly cause: CauseCode;
  /** What is really wrong, in a few words. */
  readonly fault: string;
  readonly needs?: readonly Need[];
  /** What `stop` cannot take back, because nothing may. */
  readonly leaves?: string;
  /** Breaks its world and answers the promotion that shows it. */
  readonly inject: (world: World) => Promise<string>;
  /** What a colleague would do outside of Stella, or what ends the wait; without: nothing has to be done. */
  readonly repair?: (world: World) => Promise<void>;
  /** After a remedy that leaves something to a person: what that person then does, with what the command has said. */
  readonly follow?: (world: World, said: string) => Promise<void>;
}
