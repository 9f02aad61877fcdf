/**
 * The rules of `domain/safety` once more, as SQL: the predicates read a whole store, these read what is due. Each has the
 * name of its predicate and answers (subject, message). What they share is in front of each family as `with` queries.
 */
import { PROMOTION_STATUSES, type RuleName, STATUS_TRANSITIONS, TERMINAL_STATUSES } from '@stella/domain';
import type { Statement } from '../connection.ts';

export interface Invariant {
  readonly rule: RuleName;
  /** A select of subject and message. */
  readonly text: string;
}

/** `('completed', 'failed', …)`; the words are the domain's own and hold no quotes. */
export const TERMINAL = `(${TERMINAL_STATUSES.map((word) => `'${word}'`).join(', ')})`;

/** `('queued', 'in_progress'), …` */
export const TRANSITIONS = PROMOTION_STATUSES.flatMap((from) =>
  STATUS_TRANSITIONS[from].map((to) => `('${from}', '${to}')`),
).join(', ');

/** $1: the database's clock; $2: the promotions that are looked at. What a rule does not use is not read. */
const PROMOTION_SCOPE = `with scope as (
    select p.*, case p.requested_by ->> 'kind' when 'person' then p.requested_by ->> 'id'
        when 'automation' then p.requested_by ->> 'personId' end as requester
    from promotions p where p.id = any ($2)
  ), definitions as (
    select h.hash, d.definition from (select distinct definition_hash as hash from scope) h
    cross join lateral (select definition from environment_definitions d where d.hash = h.hash limit 1) d
  ), starts as (
    select s.id, r.started_at as at from scope s join promotion_steps r on r.promotion_id = s.id
    where s.step in ('deploy', 'verify', 'rollback') and r.step = 'deploy' and r.started_at is not null
  ), operations as (
    select s.environment, a.* from scope s join attempts a on a.promotion_id = s.id
    where a.purpose in ('deploy', 'rollback') and a.fence_n is not null and a.fence_epoch is not null
  ), reported as (
    select a.*, o.outcome, o.digest, o.ended_at, o.id as outcome_id from scope s
    join attempts a on a.promotion_id = s.id join attempt_outcomes o on o.operation_id = a.operation_id and not o.is_late
  ), counted as (
    select distinct on (operation_id) * from reported order by operation_id, outcome_id
  ), pruned as (
    select s.id from scope s
    where s.ended_at is not null and not exists (select from events e where e.promotion_id = s.id)
  ), moment as (select $1::timestamptz as now)`;

/** One statement for all rules of a family about the promotions `$2`. */
export function ofPromotions(family: string, invariants: readonly Invariant[]): Statement {
  return { name: `invariants_${family}`, text: `${PROMOTION_SCOPE}\n${unite(invariants)}` };
}

/** One statement for all rules of a family about what belongs to no promotion. */
export function ofStore(family: string, invariants: readonly Invariant[]): Statement {
  return { name: `invariants_${family}`, text: unite(invariants) };
}

function unite(invariants: readonly Invariant[]): string {
  return invariants
    .map(({ rule, text }) =>
      ["select '", rule, "' as rule, found.subject, found.message from (", text, ') found'].join(''),
    )
    .join('\nunion all\n');
}

/** Of the row `s`: the release that a component is of in its base, as `baseReleaseOf` of the domain has it. */
export function baseOf(component: string): string {
  return `case when strpos(s.base_release_id, '=') > 0
    then nullif(substring(s.base_release_id from '(?:^|,)' || (${component}) || '=([^,]*)'), '')
    else s.base_release_id end`;
}

const COMPONENTS_OF = `select $target ->> 'component' as name where $target ? 'component'
  union select v.value from jsonb_each_text(coalesce($target -> 'components', '{}')) v`;

/** Names of what a target runs, as `componentsOf` of the domain has them; `target` is one of a definition. */
export function componentsOf(target: string): string {
  return COMPONENTS_OF.replaceAll('$target', () => target);
}

const COMBINED_DIGEST = `case when count(*) <> count($parts.digest) then null when count(*) = 1 then max($parts.digest)
  else 'sha256:' || encode(sha256(convert_to('{' || string_agg('"' || k.name || '":"' || $parts.digest || '"', ','
    order by k.name collate "C") || '}', 'UTF8')), 'hex') end`;

/**
 * An aggregate over rows of `componentsOf`, named `k`, with what a release has of each in `parts`: as `combinedDigest` of
 * the domain has it, null when the release lacks some of them. Names and digests hold nothing that JSON escapes.
 */
export function combinedDigest(parts: string): string {
  return COMBINED_DIGEST.replaceAll('$parts', () => parts);
}

const BY_COMPONENT = `exists (select from locks l where l.promotion_id = $id
    and starts_with(l.resource, 'environment:' || $environment || '/'))`;

/** It excludes, or excluded, others from the components of its release only. Both are columns. */
export function byComponent(promotionId: string, environment: string): string {
  return BY_COMPONENT.replace('$id', () => promotionId).replace('$environment', () => environment);
}
