/** Builds the program before the tests that run it as users do; files of one project run side by side. */
import { execFileSync } from 'node:child_process';
import { join } from 'node:path';

export function setup(): void {
  const cwd = join(import.meta.dirname, '..', '..', '..', '..');
  execFileSync('npm', ['run', '--silent', 'build'], { cwd, stdio: ['ignore', 'ignore', 'inherit'] });
}
