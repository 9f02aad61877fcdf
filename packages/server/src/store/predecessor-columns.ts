/**
 * What `kind: deploy` asks of a predecessor, the row `e`: its artifacts, in whatever releases they came there (domain,
 * PredecessorStatus). Each is one expression over the components of a release; null when one of them lacks.
 */

const COMPLETED_AT = `(select max(part.at) from (
    select (select max(q.ended_at) from promotions q join release_components k on k.release_id = q.release_id
      and k.name = c.name and k.digest = c.digest where q.environment = e.name and q.status = 'completed') as at
    from release_components c where c.release_id = $release) part having count(part.at) = count(*))`;

const SINCE = `(select max(part.at) from (
    select (select (run ->> 'releasedAtMs')::bigint from jsonb_array_elements(e.components) run
      join release_components k on k.release_id = run ->> 'releaseId' and k.name = c.name and k.digest = c.digest
      where run ->> 'component' = c.name and run ->> 'state' = 'whole') as at
    from release_components c where c.release_id = $release) part having count(part.at) = count(*))`;

/** When the last of them completed there for the last time; the release's id is a column or a parameter. */
export function artifactsCompletedAt(releaseId: string): string {
  return COMPLETED_AT.replace('$release', () => releaseId);
}

/** Since when all of them run there whole, in milliseconds. */
export function artifactsSince(releaseId: string): string {
  return SINCE.replace('$release', () => releaseId);
}
