/** Error codes: the service of this machine. */
import { type ErrorEntry, entry } from './error-entry.ts';

export const SERVICE_CODES = {
  'service.other_host': entry(
    'Conflict',
    '{server} is the server that is configured, and it is not on this machine',
    'run the same command on {host}',
  ),
  'service.unmanaged': entry(
    'Conflict',
    'the orchestrator runs as pid {pid}, which was started by hand: nobody manages it',
    'run: kill -TERM {pid}; when it has ended: stella service start orchestrator',
  ),
  'service.elsewhere': entry(
    'Conflict',
    'the data directory {directory} is used from elsewhere: {message}',
    'run the command in there: docker exec <container> stella service restart orchestrator',
  ),
  'service.manager': entry('Unavailable', '{command}: {message}', 'see: systemctl status stella-orchestrator.service'),
  'service.supervised': entry(
    'Conflict',
    'a supervisor keeps the orchestrator of {directory} running already, as pid {pid}',
    'look at it: stella service status orchestrator',
  ),
  'service.not_ready': entry(
    'Unavailable',
    'the orchestrator is not ready after {seconds} s: {message}',
    'see: stella service logs orchestrator',
  ),
} as const satisfies Record<string, ErrorEntry>;
