import { describe, expect, it } from 'vitest';
import { formatUnit, type UnitOrder } from './systemd-unit.ts';

const ORDER: UnitOrder = {
  dataDir: '/var/lib/stella',
  program: ['/usr/bin/node', '/opt/stella/packages/cli/dist/main.mjs'],
  environmentFile: '/var/lib/stella/service/environment',
  secretsFile: '/var/lib/stella/service/secrets',
  user: null,
  writable: ['/srv/web'],
  reads: [],
};
const lineOf = (unit: string, name: string): string | undefined =>
  unit.split('\n').find((line) => line.startsWith(`${name}=`));

describe('the unit of systemd', () => {
  it('leaves PostgreSQL to the next server at a restart, and is started again for ever', () => {
    const unit = formatUnit(ORDER);
    expect(unit).toMatch(/^KillMode=process$/m);
    expect(unit).toMatch(/^RestartKillSignal=SIGUSR2$/m);
    expect(unit).toMatch(/^TimeoutStopSec=30s$/m);
    expect(unit).toMatch(/^Restart=on-failure$/m);
    expect(unit).toMatch(/^StartLimitIntervalSec=0$/m);
  });

  it('may write only to its data and to the directories of targets', () => {
    const unit = formatUnit(ORDER);
    expect(unit).toMatch(/^ProtectSystem=strict$/m);
    expect(lineOf(unit, 'ReadWritePaths')).toBe('ReadWritePaths=/var/lib/stella /srv/web');
    expect(unit).toMatch(/^NoNewPrivileges=yes$/m);
    expect(unit).toMatch(/^PrivateTmp=yes$/m);
  });

  it('hides homes unless something that it needs lies below one', () => {
    expect(lineOf(formatUnit(ORDER), 'ProtectHome')).toBe('ProtectHome=yes');
    for (const over of [{ reads: ['/run/user/1000/tls'] }, { program: ['/root/node', '/x'] as const }]) {
      expect(lineOf(formatUnit({ ...ORDER, ...over }), 'ProtectHome')).toBe('ProtectHome=read-only');
    }
  });

  it('needs no capability as an ordinary user', () => {
    const unit = formatUnit({ ...ORDER, user: 'stella' });
    expect(lineOf(unit, 'CapabilityBoundingSet')).toBe('CapabilityBoundingSet=');
    expect(lineOf(unit, 'User')).toBe('User=stella');
    expect(lineOf(formatUnit(ORDER), 'User')).toBeUndefined();
  });

  it('escapes what systemd would expand, and refuses what it would split', () => {
    const unit = formatUnit({ ...ORDER, dataDir: '/data/100%$x' });
    expect(lineOf(unit, 'ExecStart')).toMatch(/"--data-dir" "\/data\/100%%\$\$x"$/);
    expect(lineOf(unit, 'WorkingDirectory')).toBe('WorkingDirectory=/data/100%%$x');
    for (const dataDir of ['/my data', '/a"b', "/a'b", '/a\\b', '/a\nb']) {
      expect(() => formatUnit({ ...ORDER, dataDir })).toThrow(expect.objectContaining({ code: 'config.invalid' }));
    }
  });
});
