/** What must be true when the dust has settled; each finding is a sentence. Rules of the database come as SQL. */
import { lstatSync, readlinkSync } from 'node:fs';
import { join } from 'node:path';
import type { Witness } from './database.ts';
import { type Load, pause } from './load.ts';
import type { World } from './world.ts';

/** What waits for nobody ends by itself: queues of several promotions, each with its attempts. */
const SETTLE_MS = 120_000;
const LOOK_MS = 250;
const SHOWN_MAX = 5;

/** Each answers rows that must not exist. */
const RULES: Readonly<Record<string, string>> = {
  'two promotions of one release into one environment (safety S12)': `
    select environment, release_id, count(*)::int as count from promotions group by 1, 2 having count(*) > 1`,
  'a lock that is held by an ended promotion (safety L4)': `
    select l.id from locks l join promotions p on p.id = l.promotion_id
    where l.released_at is null and p.ended_at is not null`,
  'two live exclusive locks on one resource (safety S1)': `
    select resource from locks where released_at is null and mode = 'exclusive' group by 1 having count(*) > 1`,
  'a fence that does not rise (safety S2)': `
    select a.operation_id from attempts a join attempts b on b.promotion_id = a.promotion_id
      and b.subject = a.subject and b.purpose in ('deploy', 'rollback') and b.number > a.number and b.purpose = a.purpose
    where a.purpose in ('deploy', 'rollback') and (b.fence_epoch, b.fence_n) <= (a.fence_epoch, a.fence_n)`,
  'two promotions that deployed under one fence (safety S2)': `
    select fence_epoch, fence_n from attempts where purpose in ('deploy', 'rollback')
    group by 1, 2, subject having count(distinct promotion_id) > 1`,
  'a hole in the chain of a promotion (safety S13)': `
    select promotion_id from events where promotion_id is not null group by 1
    having count(*) <> max(promotion_seq) or min(promotion_seq) <> 1`,
  'a promotion whose chain is not as long as it says (safety S6)': `
    select p.id from promotions p
    where p.chain_length <> (select count(*) from events e where e.promotion_id = p.id)`,
  'a hole in the global chain (safety S13)': `
    select max(seq) as last from events having count(*) <> max(seq)`,
  'two outcomes of one operation that both count (safety S17)': `
    select operation_id from attempt_outcomes where not is_late group by 1 having count(*) > 1`,
};

/** All that says why a promotion does not go on. */
const EXPLAIN = `select to_jsonb(p) - 'definition_hash' as promotion,
    (select jsonb_agg(to_jsonb(w)) from workers w where w.state = 'live' or w.id = p.worker_id) as workers,
    (select jsonb_agg(to_jsonb(a) || jsonb_build_object('outcomes', (select jsonb_agg(to_jsonb(o)) from attempt_outcomes o
       where o.operation_id = a.operation_id)) order by a.started_at)
     from attempts a where a.promotion_id = p.id) as attempts
  from promotions p where p.ended_at is null order by p.id limit 5`;

/** Waits until nothing lives any more and all events are chained. Answers what did not settle. */
export async function settle(witness: Witness): Promise<readonly string[]> {
  const endsAtMs = performance.now() + SETTLE_MS;
  // Until the deadline.
  for (;;) {
    const live = await witness.ask<{ id: string }>('select id from promotions where ended_at is null limit 1');
    const open = await witness.ask<{ id: number }>('select id from events where seq is null limit 20');
    if (live?.length === 0 && open?.length === 0) return [];
    if (performance.now() > endsAtMs) {
      const why = (await witness.ask<{ row: unknown }>(EXPLAIN)) ?? [];
      return [...why, ...(open ?? [])].map((row) => `not settled: ${JSON.stringify(row)}`);
    }
    await pause(LOOK_MS);
  }
}

export async function brokenRules(witness: Witness): Promise<readonly string[]> {
  const found: string[] = [];
  for (const [rule, text] of Object.entries(RULES)) {
    const rows = await witness.demand(text);
    for (const row of rows.slice(0, SHOWN_MAX)) found.push(`${rule}: ${JSON.stringify(row)}`);
  }
  return found;
}

interface Kept extends Record<string, unknown> {
  readonly id: string;
  readonly environment: string;
  readonly release: string;
  readonly cancel_requested_at: unknown;
  readonly ended_at: unknown;
}

/** What the client was told is there, as it was told. */
export async function lostOperations(witness: Witness, { operations }: Load): Promise<readonly string[]> {
  const rows = await witness.demand<Kept>(
    `select p.id, p.environment, r.name as release, p.cancel_requested_at, p.ended_at
     from promotions p join releases r on r.id = p.release_id`,
  );
  const byId = new Map(rows.map((row) => [row.id, row]));
  const lost = operations.flatMap((one) => {
    if (one.id === null) return one.refusal === null ? [`${one.key} was never answered`] : [];
    const row = byId.get(one.id);
    if (!row || row.environment !== one.environment || row.release !== one.release) return [`${one.key} is lost`];
    if (one.isCancelled && row.cancel_requested_at === null) return [`the cancel of ${one.key} is lost`];
    return [];
  });
  const answered = new Set(operations.map((one) => one.id));
  const unknown = rows.filter((row) => !answered.has(row.id)).map((row) => `nobody was told of ${row.id}`);
  return [...lost, ...unknown];
}

/** What was asked outside was intended inside, and what runs is what the environment says. */
export async function strayEffects(world: World): Promise<readonly string[]> {
  const { witness, gates, watch, environments } = world;
  const rows = await witness.demand<{ operation_id: string }>('select operation_id from attempts');
  const intended = new Set(rows.map((row) => row.operation_id));
  const asked = [...gates.questions.keys()].filter((key) => !intended.has(key));
  const states = await witness.demand<{ name: string; state: string; digest: string | null }>(
    `select e.name, e.state, c.digest from environments e
     left join release_components c on c.release_id = e.release_id and c.name = 'web'`,
  );
  const wrong = states
    .filter((row) => environments.includes(row.name) && row.state === 'known')
    .filter((row) => !currentLink(world.targetOf(row.name)).includes(String(row.digest).replace('sha256:', '')))
    .map((row) => `${row.name} runs ${currentLink(world.targetOf(row.name))} and should run ${row.digest}`);
  return [
    ...asked.slice(0, SHOWN_MAX).map((key) => `a gate was asked without an intent: ${key}`),
    ...gates.mixed.map((key) => `two questions under one key: ${key}`),
    ...watch.stale.map((text) => `a stale change: ${text}`),
    ...wrong,
  ];
}

function currentLink(directory: string): string {
  const path = join(directory, 'current');
  return lstatSync(path, { throwIfNoEntry: false }) ? readlinkSync(path) : 'nothing';
}
