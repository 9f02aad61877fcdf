/** What the texts of an environment's definition must look like. Each answers what is wrong, null when nothing is. */
import { isIP } from 'node:net';
import { normalize } from 'node:path/posix';
import { isRegistryHost, parseSecretReference } from '@stella/domain';

/** As releases are created. */
const RELEASE_NAME = /^[A-Za-z0-9][A-Za-z0-9._+-]{0,99}$/;
const NAME = /^[a-z0-9][a-z0-9-]{0,62}$/;
/** As persons are enrolled: `ana`, `ana@example.org`. */
const SUBJECT = /^[A-Za-z0-9][A-Za-z0-9._@+-]{0,99}$/;
/** RFC 9110, section 5.6.2 (token). */
const HEADER_NAME = /^[!#$%&'*+.^_`|~0-9A-Za-z-]{1,100}$/;
/** RFC 9110, section 5.5, without the obsolete bytes above ASCII. */
const HEADER_VALUE = /^[\x21-\x7e](?:[\t\x20-\x7e]*[\x21-\x7e])?$/;

/** RFC 5321, section 4.1.2, in its usual part: no quotes, no comments, nothing that splits a head of a mail. */
const MAIL_ADDRESS = /^[A-Za-z0-9.!#$%&'*+/=?^_`{|}~-]{1,64}@[A-Za-z0-9](?:[A-Za-z0-9.-]*[A-Za-z0-9])?$/;
/** RFC 5321, section 4.5.3.1.3. */
const MAIL_ADDRESS_LENGTH_MAX = 254;
const HOST = /^[A-Za-z0-9](?:[A-Za-z0-9.-]*[A-Za-z0-9])?$/;
/** RFC 1035, section 2.3.4. */
const HOST_LENGTH_MAX = 253;

const HEADER_VALUE_LENGTH_MAX = 4_096;
const ARGUMENT_LENGTH_MAX = 1_000;
const URL_LENGTH_MAX = 2_000;
/** PATH_MAX of Linux is 4,096; a target adds names of its own below. */
const DIRECTORY_LENGTH_MAX = 1_024;

/** Set for each attempt, or part of the connection. */
const OWN_HEADERS: ReadonlySet<string> = new Set([
  'connection',
  'content-length',
  'content-type',
  'expect',
  'host',
  'idempotency-key',
  'keep-alive',
  'te',
  'trailer',
  'transfer-encoding',
  'upgrade',
]);
const SECRET_HEADERS: ReadonlySet<string> = new Set(['authorization', 'cookie', 'proxy-authorization']);

export function checkName(value: string): string | null {
  if (NAME.test(value)) return null;
  const rule = '1 to 63 lowercase letters, digits and hyphens, and starts with no hyphen';
  return `"${value.slice(0, 80)}" is not a name; a name has ${rule}`;
}

export function checkReleaseName(value: string): string | null {
  return RELEASE_NAME.test(value) ? null : `"${value.slice(0, 80)}" is not the name of a release, such as shop-2.4.1`;
}

export function checkSubject(value: string): string | null {
  return SUBJECT.test(value) ? null : `"${value.slice(0, 80)}" is not a person's subject, such as ana@example.org`;
}

/** The value is not repeated: somebody may have written the secret itself. */
export function checkSecretReference(value: string): string | null {
  if (parseSecretReference(value)) return null;
  return 'a secret is named, not written: env:STELLA_SECRET_NAME, or file:/absolute/path';
}

export function checkUrl(value: string): string | null {
  if (value.length > URL_LENGTH_MAX) return `the URL is longer than ${URL_LENGTH_MAX} characters`;
  if (!URL.canParse(value)) return `"${value}" is not a URL; write http://host:port/path`;
  const { protocol, username, password, hash } = new URL(value);
  if (protocol !== 'http:' && protocol !== 'https:') return `expected an http or https URL, not "${value}"`;
  // The value is not repeated: it holds a secret.
  if (username !== '' || password !== '') return 'the URL holds a user or password, which everybody could read';
  if (hash !== '') return `"${value}" has a fragment, which is never sent`;
  // URL parsers drop blanks and line breaks; what is shown must be what is asked.
  return /^[\x21-\x7e]+$/.test(value) ? null : 'the URL holds blanks or characters that must be percent-encoded';
}

/** A path at the service itself, never at another host. */
export function checkProbePath(value: string): string | null {
  if (value === '') return null;
  const isPath = /^\/(?!\/)[\x21-\x7e]*$/.test(value) && value.length <= URL_LENGTH_MAX && !value.includes('#');
  return isPath ? null : `"${value.slice(0, 200)}" is not a path at the service, such as /healthz`;
}

export function checkHeader(name: string, value: string): string | null {
  const lower = name.toLowerCase();
  if (!HEADER_NAME.test(name)) return 'not the name of a header';
  if (OWN_HEADERS.has(lower)) return 'this header is set by the orchestrator';
  if (SECRET_HEADERS.has(lower)) return 'headers are shown to everybody, so none may hold a secret';
  if (value.length > HEADER_VALUE_LENGTH_MAX) return `longer than ${HEADER_VALUE_LENGTH_MAX} characters`;
  return HEADER_VALUE.test(value) ? null : 'expected printable ASCII without blanks at its ends';
}

/** Absolute, and in its shortest form but for slashes at its end, so that equal directories are equal texts. */
export function checkDirectory(value: string): string | null {
  if (!value.startsWith('/')) return `"${value.slice(0, 200)}" is not an absolute path`;
  if (value.length > DIRECTORY_LENGTH_MAX) return `the path is longer than ${DIRECTORY_LENGTH_MAX} characters`;
  if (/\p{Cc}/u.test(value)) return 'the path holds control characters';
  const shortest = withoutEndSlash(normalize(value));
  if (shortest === '') return 'the root directory cannot be a target';
  return shortest === withoutEndSlash(value) ? null : `write the path in its shortest form: "${shortest}"`;
}

/** A program of a gate, or where it runs; no `..` that could hide where it is. */
export function checkProgram(value: string): string | null {
  return checkDirectory(value) ?? (value.endsWith('/') ? 'write the path without a slash at its end' : null);
}

export function checkArgument(value: string): string | null {
  if (value.length > ARGUMENT_LENGTH_MAX) return `the argument is longer than ${ARGUMENT_LENGTH_MAX} characters`;
  return value.includes('\0') ? 'an argument cannot hold U+0000' : null;
}

/** `/srv/shop/` → `/srv/shop`. */
export function withoutEndSlash(directory: string): string {
  return directory.replace(/\/+$/, '');
}

/** As role bindings have them: `prod`, `prod-*`, `*`. */
export function checkPattern(value: string): string | null {
  if (/^[a-z0-9*-]{1,63}$/.test(value)) return null;
  return `"${value.slice(0, 80)}" is no pattern of names of environments, such as prod or prod-*`;
}

/** Without a display name: `ops@example.org`. */
export function checkMailAddress(value: string): string | null {
  const isAddress = value.length <= MAIL_ADDRESS_LENGTH_MAX && MAIL_ADDRESS.test(value);
  return isAddress ? null : `"${value.slice(0, 80)}" is not a mail address, such as ops@example.org`;
}

/** A name or an address, without port. */
export function checkHost(value: string): string | null {
  const isHost = value.length <= HOST_LENGTH_MAX && (HOST.test(value) || isIP(value) !== 0);
  return isHost ? null : `"${value.slice(0, 80)}" is not the name of a host, such as mail.example.org`;
}

export function checkMailUser(value: string): string | null {
  return /^[\x21-\x7e]{1,200}$/.test(value) ? null : 'expected 1 to 200 printable characters without blanks';
}

/** As references of artifacts name it: host, or host and port. */
export function checkRegistryHost(value: string): string | null {
  const host = value.toLowerCase();
  const isHost = isRegistryHost(host) && (/[.:]/.test(host) || host === 'localhost');
  return isHost ? null : `"${value.slice(0, 80)}" is not the host of a registry, such as registry.example.org:5000`;
}

/** RFC 7617, section 2: a colon would end it. */
export function checkRegistryUser(value: string): string | null {
  return /^[\x21-\x39\x3b-\x7e]{1,200}$/.test(value)
    ? null
    : 'expected 1 to 200 printable characters without blanks and colons';
}
