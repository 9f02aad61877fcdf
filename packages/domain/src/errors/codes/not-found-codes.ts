/** Error codes: things that are not there. */
import { type ErrorEntry, entry } from './error-entry.ts';

export const NOT_FOUND_CODES = {
  'route.not_found': entry(
    'NotFound',
    'no such route: {method} {path}',
    'see the API description at /api/v1/openapi.json',
  ),
  'environment.not_found': entry('NotFound', 'no environment "{name}"', 'list them: stella environment list'),
  'release.not_found': entry('NotFound', 'no release "{name}"', 'list them: stella release list'),
  'artifact.not_found': entry(
    'NotFound',
    'no release has an artifact "{name}"',
    'name it with its repository: <registry>/<repository>@sha256:<digest>; see what is known: stella release list',
  ),
  'promotion.not_found': entry('NotFound', 'no promotion "{name}"', 'list them: stella promotion list'),
  'gate.not_found': entry(
    'NotFound',
    'promotion {promotionId} has no gate "{name}"',
    'list them: stella promotion gates {promotionId}',
  ),
  'gate.unknown': entry(
    'NotFound',
    'no environment has a gate "{name}" that asks a service',
    'list them: stella orch gate-services status',
  ),
  'skip.not_found': entry(
    'NotFound',
    'no skip of gate "{gate}" is open at promotion {promotionId}',
    'ask for one: stella promotion gate skip {promotionId} {gate} --reason <text>',
  ),
  'channel.not_found': entry('NotFound', 'no channel "{name}"', 'list them: stella notify list'),
  'delivery.not_found': entry('NotFound', 'no delivery "{name}"', 'list them: stella notify deliveries'),
  'lock.not_found': entry('NotFound', 'no lock "{name}"', 'list them: stella orch locks list'),
  'person.not_found': entry(
    'NotFound',
    'no person "{name}"',
    'enrol the person: stella auth person create <subject> --role <role>@<env>',
  ),
  'setting.invalid': entry(
    'InvalidInput',
    'the setting {name} is invalid: {message}',
    'see its range: stella orch config get {name}',
  ),
  'check.not_found': entry('NotFound', 'no check "{name}"', 'known are: {known}'),
  'setting.not_found': entry('NotFound', 'no setting "{name}"', 'list them: stella orch config list'),
  'token.not_found': entry('NotFound', 'no token "{name}"', 'list them: stella auth token list'),
} as const satisfies Record<string, ErrorEntry>;
