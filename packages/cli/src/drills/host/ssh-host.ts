/**
 * A host over SSH on a real socket: it lets in whoever has the key of the drill, and runs what it is asked on this machine,
 * by a shell, as the user of the drill. Another key of its own means another listener on the same port.
 */
import { type ChildProcess, spawn } from 'node:child_process';
import { timingSafeEqual } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { type AddressInfo, createServer, type Server, type Socket } from 'node:net';
import ssh2, { type AuthContext, type Connection, type ParsedKey, type Session } from 'ssh2';
import type { DrillPlace, HostKeyName } from '../place.ts';
import { endGroup } from './end-group.ts';
import { HOST_USER, keyFileOf } from './host-keys.ts';

export interface SshHost {
  /** Shows this key of its own from now on; null: closed. */
  follow(key: HostKeyName | null): Promise<void>;
  /** `127.0.0.1:41234`, the same whenever it is open. */
  host(): string;
}

export function makeSshHost(place: DrillPlace, address: string): SshHost {
  const login = publicKeyOf(place);
  const sockets = new Set<Socket>();
  const programs = new Set<ChildProcess>();
  let server: Server | null = null;
  let shown: HostKeyName | null = null;
  let port = 0;
  const open = async (key: HostKeyName): Promise<void> => {
    const hostKeys = [readFileSync(keyFileOf(place, key))];
    const greeter = new ssh2.Server({ hostKeys }, (connection) => serve(connection, login, programs));
    const opened = createServer((socket) => {
      sockets.add(socket);
      socket.once('close', () => sockets.delete(socket));
      greeter.injectSocket(socket);
    });
    await new Promise<void>((resolve, reject) => opened.once('error', reject).listen(port, address, resolve));
    // It listens on a port.
    ({ port } = opened.address() as AddressInfo);
    server = opened;
  };
  const close = async (): Promise<void> => {
    const closed = server;
    server = null;
    for (const program of programs) endGroup(program, 'SIGKILL');
    for (const socket of sockets) socket.destroy();
    if (closed) await new Promise<void>((resolve) => closed.close(() => resolve()));
  };
  return {
    host: () => `${address}:${port}`,
    async follow(key) {
      if (key === shown) return;
      await close();
      shown = key;
      if (key !== null) await open(key);
    },
  };
}

function serve(connection: Connection, login: ParsedKey, programs: Set<ChildProcess>): void {
  // One that is cut off, or refuses the key of its host, is no matter of the others.
  connection.on('error', () => undefined);
  connection.on('authentication', (context) => judgeLogin(context, login));
  connection.on('session', (accept) => runPrograms(accept(), programs));
}

function publicKeyOf(place: DrillPlace): ParsedKey {
  const key = ssh2.utils.parseKey(readFileSync(`${keyFileOf(place, 'login')}.pub`));
  if (key instanceof Error) throw key;
  return key;
}

/** RFC 4252, section 7: first it is asked whether the key would do, then the signature proves who has it. */
function judgeLogin(context: AuthContext, login: ParsedKey): void {
  if (context.method !== 'publickey' || context.username !== HOST_USER || !isKey(context.key.data, login)) {
    context.reject(['publickey']);
    return;
  }
  const { blob, signature } = context;
  // Of what is no signature at all it answers an error, whatever its type says.
  const isProven: unknown = blob !== undefined && signature !== undefined && login.verify(blob, signature);
  if (signature === undefined || isProven === true) context.accept();
  else context.reject();
}

function isKey(offered: Buffer, login: ParsedKey): boolean {
  const known = login.getPublicSSH();
  return offered.length === known.length && timingSafeEqual(offered, known);
}

/** As sshd does it: a shell in a session of its own, whose end is told by its exit code. */
function runPrograms(session: Session, programs: Set<ChildProcess>): void {
  session.on('exec', (accept, _refuse, { command }) => {
    const channel = accept();
    const program = spawn('sh', ['-c', command], { detached: true, cwd: '/' });
    programs.add(program);
    // Whoever reads or writes it may be gone.
    for (const stream of [channel, program.stdin, program.stdout, program.stderr]) {
      stream.on('error', () => undefined);
    }
    channel.pipe(program.stdin);
    program.stdout.pipe(channel, { end: false });
    program.stderr.pipe(channel.stderr, { end: false });
    session.on('signal', (_accept, _no, { name }) => endGroup(program, `SIG${name}`));
    // It is not ended with its connection, and finds nobody there who reads.
    channel.on('close', () => {
      for (const stream of [program.stdin, program.stdout, program.stderr]) stream.destroy();
    });
    program.on('error', () => channel.close());
    program.on('close', (code) => {
      programs.delete(program);
      if (channel.destroyed) return;
      if (code !== null) channel.exit(code);
      channel.end();
    });
  });
}
