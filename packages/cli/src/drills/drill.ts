/** What a drill is: one cause, injected by a real fault into a world of its own. */
import type { CauseCode } from '@stella/domain';
import type { OwnOrder } from './own/own-orchestrator.ts';
import type { World } from './world.ts';

/** What a drill needs beyond directories and addresses that the server allows. */
export type Need =
  /** Another person, with a token of his own. */
  | 'second person'
  /** Rights to mount a small disk. */
  | 'root'
  /** Programs of a Linux host, such as flock and GNU tar. */
  | 'linux'
  /** A directory from which the server takes image layouts. */
  | 'layouts'
  /** A directory below which the server runs programs of gates. */
  | 'commands'
  /** The time after which a promotion counts as stalled (`stuck.after`). */
  | 'stuck.after';

export interface Drill {
  readonly cause: CauseCode;
  /** Where one cause has several drills: `command`, of gates of that kind. */
  readonly variant?: string;
  /** What is really wrong, in a few words. */
  readonly fault: string;
  readonly needs?: readonly Need[];
  /** Where it would stop everybody's promotions: it is played on an orchestrator of its own. */
  readonly own?: OwnOrder;
  /** What `stop` cannot take back, because nothing may. */
  readonly leaves?: string;
  /** Breaks its world and answers the promotion that shows it. */
  readonly inject: (world: World) => Promise<string>;
  /** What a colleague would do outside of Stella, or what ends the wait; without: nothing has to be done. */
  readonly repair?: (world: World) => Promise<void>;
  /**
   * Where the drilled promotion never can complete: the release, as `release` was given its label, whose promotion takes its
   * place. Without: the drilled one completes, or one that retries it.
   */
  readonly curedByRelease?: string;
  /** After a remedy that leaves something to a person: what that person then does, with what the command has said. */
  readonly follow?: (world: World, said: string) => Promise<void>;
}

/** What it is called: `gate.slow`, `gate.slow.command`. */
export function drillId({ cause, variant }: Pick<Drill, 'cause' | 'variant'>): string {
  return variant === undefined ? cause : `${cause}.${variant}`;
}
