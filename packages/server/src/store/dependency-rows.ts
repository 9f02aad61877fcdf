/** What other environments run and do, for gates of kind dependency; asked only where a definition has one. */
import type { DependencySnapshot, DependencyStatus, EnvironmentDefinition } from '@stella/domain';
import { NO_DEPENDENCIES, requirementsOf } from '@stella/domain';
import type { Session, Statement } from './connection.ts';
import { textOrNull } from './row-values.ts';

/** `busy`: promotions that have passed their gates and not ended: those that only wait at gates hold up nobody. */
const READ: Statement = {
  name: 'dependencies_read',
  text: `select
      (select coalesce(json_agg(t order by t.environment collate "C"), '[]') from (
         select e.name as environment, r.name as release_name, e.release_number, e.state,
           (select coalesce(json_agg(json_build_object('name', c ->> 'component', 'releaseName',
              (select o.name from releases o where o.id = c ->> 'releaseId'), 'releaseNumber',
              (c ->> 'releaseNumber')::bigint, 'state', c ->> 'state') order by c ->> 'component' collate "C"), '[]')
            from jsonb_array_elements(e.components) c) as components,
           (select count(*) from promotions p where p.environment = e.name and p.ended_at is null
              and p.step not in ('precheck', 'evaluate_gates')) as busy_count
         from environments e left join releases r on r.id = e.release_id where e.name = any ($1)) t) as places,
      (select coalesce(json_agg(json_build_object('name', r.name, 'number', r.number, 'components',
         (select json_agg(json_build_object('name', c.name) order by c.name collate "C") from release_components c
          where c.release_id = r.id)) order by r.number), '[]')
       from releases r where r.name = any ($2)) as releases`,
};

interface RawPlace {
  readonly environment: string;
  readonly release_name: string | null;
  readonly release_number: number;
  readonly state: DependencyStatus['state'];
  readonly components: DependencyStatus['components'];
  readonly busy_count: number;
}

export async function readDependencies(
  session: Session,
  definition: EnvironmentDefinition,
): Promise<DependencySnapshot> {
  const wanted = requirementsOf(definition);
  if (wanted.length === 0) return NO_DEPENDENCIES;
  const names = wanted.flatMap(({ release }) => (release === null ? [] : [release]));
  const [row] = await session.rows(READ, [wanted.map((one) => one.environment), names]);
  // Shapes of the statement above.
  const places = (row?.['places'] ?? []) as readonly RawPlace[];
  return {
    places: places.map((place) => ({
      environment: place.environment,
      releaseName: textOrNull(place.release_name),
      releaseNumber: place.release_number,
      state: place.state,
      components: place.components,
      busyCount: place.busy_count,
    })),
    releases: (row?.['releases'] ?? []) as DependencySnapshot['releases'],
  };
}
