/** Sessions that the peer of a drill holds in the database of its own orchestrator, as its modes say. */
import type { Client as Session } from 'pg';
import type { DrillPlace, SessionModes } from '../place.ts';
import { closeSession, openSession } from './database.ts';

/** More than the embedded PostgreSQL ever gives; it refuses long before. */
const SESSIONS_MAX = 200;

export interface HeldSessions {
  /** Opens and closes what has to be; a session that somebody ended is not opened again. */
  follow(modes: SessionModes): Promise<void>;
}

export function makeHeldSessions(place: DrillPlace): HeldSessions {
  let holder: Session | null = null;
  const taken: Session[] = [];
  return {
    async follow({ heldPromotion, areAllTaken }) {
      if (heldPromotion !== null) holder ??= await holdPromotion(place, heldPromotion);
      else if (holder !== null) {
        await closeSession(holder);
        holder = null;
      }
      if (areAllTaken) await takeAll(place, taken);
      else await Promise.all(taken.splice(0).map(closeSession));
    },
  };
}

/** As somebody who looked at a row by hand, for update, and forgot to end the transaction. */
async function holdPromotion(place: DrillPlace, promotion: string): Promise<Session> {
  const session = await openSession(place, 'stella_owner');
  await session.query('begin');
  await session.query({ text: 'select id from promotions where id = $1 for update', values: [promotion] });
  return session;
}

/** As a program with a pool that knows no limit. */
async function takeAll(place: DrillPlace, taken: Session[]): Promise<void> {
  try {
    while (taken.length < SESSIONS_MAX) taken.push(await openSession(place, 'stella_app'));
  } catch {
    // There are no more; at the next look it tries again.
  }
}
