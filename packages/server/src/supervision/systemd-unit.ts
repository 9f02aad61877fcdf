/**
 * The text of the unit for systemd. What it allows is what the orchestrator needs and no more; every line that widens it
 * says why. `systemd-analyze verify` and `security` are asked about it in `test/system/service.test.ts`.
 */
import { AppError } from '@stella/domain';

export const UNIT_NAME = 'stella-orchestrator.service';
export const UNIT_DIRECTORY = '/etc/systemd/system';
const STANDARD_DATA_DIR = '/var/lib/stella';

export interface UnitOrder {
  readonly dataDir: string;
  /** Program and arguments before `orch serve`. */
  readonly program: readonly [string, ...string[]];
  readonly environmentFile: string;
  readonly secretsFile: string;
  /** Null: root, which runs PostgreSQL as another user. */
  readonly user: string | null;
  /** That it writes to besides the data directory: those of targets. */
  readonly writable: readonly string[];
  /** Below the home of somebody: then homes cannot be hidden. */
  readonly reads: readonly string[];
}

/** Errors: `config.invalid` for a path that a unit cannot name. */
export function formatUnit(order: UnitOrder): string {
  const { dataDir, program, environmentFile, secretsFile, user } = order;
  const command = [...program, 'orch', 'serve', '--data-dir', dataDir].map(quote).join(' ');
  return `# Written by "stella service install orchestrator"; a drop-in of yours is kept: systemctl edit ${UNIT_NAME}
[Unit]
Description=Stella, release orchestrator
After=network-online.target
Wants=network-online.target
# It is started again for ever: an orchestrator that stays down holds up every promotion.
StartLimitIntervalSec=0

[Service]
Type=exec
ExecStart=${command}
WorkingDirectory=${unitPath(dataDir)}
EnvironmentFile=-${unitPath(environmentFile)}
# Of yours: it is not written by the installation.
EnvironmentFile=-${unitPath(secretsFile)}
Environment=STELLA_SERVICE_MANAGER=systemd
Restart=on-failure
RestartSec=2s
# It drains: effects get 10 s, then their claims go back and another worker takes them.
TimeoutStopSec=30s
# Only the server is told to end: PostgreSQL runs in the same group, the server stops it itself on SIGTERM, and leaves it
# to the next server on SIGUSR2 or when it is killed.
KillMode=process
RestartKillSignal=SIGUSR2
LimitNOFILE=65536
${userLines(order)}
NoNewPrivileges=yes
ProtectSystem=strict
ReadWritePaths=${[dataDir, ...order.writable].map(unitPath).join(' ')}
ProtectHome=${isBelowHome(order) ? 'read-only' : 'yes'}
PrivateTmp=yes
PrivateDevices=yes
ProtectClock=yes
ProtectHostname=yes
ProtectKernelLogs=yes
ProtectKernelModules=yes
ProtectKernelTunables=yes
ProtectControlGroups=yes
LockPersonality=yes
RestrictNamespaces=yes
RestrictRealtime=yes
RestrictSUIDSGID=yes
RemoveIPC=${user === null ? 'no' : 'yes'}
# Netlink is how the resolver sorts addresses.
RestrictAddressFamilies=AF_UNIX AF_INET AF_INET6 AF_NETLINK
SystemCallArchitectures=native
SystemCallFilter=@system-service
SystemCallErrorNumber=EPERM
# Node's and PostgreSQL's compilers write code into memory: MemoryDenyWriteExecute would end both.

[Install]
WantedBy=multi-user.target
`;
}

/**
 * As root it hands PostgreSQL's files to another user, becomes that user, signals it and looks which program runs, and
 * writes to targets of any owner. An ordinary user needs none of this.
 */
function userLines({ user, dataDir }: UnitOrder): string {
  const capabilities = 'CAP_CHOWN CAP_DAC_OVERRIDE CAP_FOWNER CAP_KILL CAP_SETGID CAP_SETUID CAP_SYS_PTRACE';
  const who = user === null ? [`CapabilityBoundingSet=${capabilities}`] : [`User=${user}`, 'CapabilityBoundingSet='];
  // Made by systemd with the right owner; PostgreSQL's user passes through it.
  const state = dataDir === STANDARD_DATA_DIR ? ['StateDirectory=stella', 'StateDirectoryMode=0711'] : [];
  return [...who, ...state].join('\n');
}

function isBelowHome({ dataDir, program, reads, writable }: UnitOrder): boolean {
  return [dataDir, ...program, ...reads, ...writable].some((path) => /^\/(home|root|run\/user)(\/|$)/.test(path));
}

/** In a command a `%` begins a specifier and a `$` a variable (systemd.service(5)). */
function quote(word: string): string {
  return `"${unitPath(word).replaceAll('$', '$$$$')}"`;
}

/** Escaped for every place where a unit names a path; spaces and quotes are read in different ways, so none is let in. */
function unitPath(path: string): string {
  if (/[\s'"\\]/.test(path)) {
    const message = `a unit of systemd cannot name "${path}", which has a space, a quote or a backslash`;
    throw new AppError('config.invalid', { details: { name: 'path', message } });
  }
  return path.replaceAll('%', '%%');
}
