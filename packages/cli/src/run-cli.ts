/** One call of the command line: parse, run, print, exit code. Touches nothing but what it is given. */
import { CommanderError } from 'commander';
import { AppError, parseDuration } from '@stella/domain/client';
import { EXIT_CODES, type GlobalOptions, OUTPUT_FORMATS, type OutputFormat, type Terminal } from './command.ts';
import { COMMANDS } from './commands/all.ts';
import { exitCodeOf, printError, toAppError } from './print-error.ts';
import { makeProgram } from './program.ts';

const TIMEOUT_STANDARD = '30s';

/** What the scripts of `stella completion` call; no command of its own, because no person types it. */
const COMPLETE = '__complete';

/** `--version` answers soon, also when nobody else does. */
const VERSION_TIMEOUT = '2s';

type Env = Readonly<Record<string, string | undefined>>;

/** `argv` without node and script. Never throws. */
export async function runCli(argv: readonly string[], env: Env, terminal: Terminal): Promise<number> {
  let code: number = EXIT_CODES.ok;
  let isVerbose = argv.includes('-v') || argv.includes('--verbose');
  const program = makeProgram({
    commands: COMMANDS,
    terminal,
    argv,
    async run(spec, input, given) {
      const globals = readGlobals(given, env, terminal);
      isVerbose = globals.isVerbose;
      const { runCommand } = await import('./run-command.ts');
      code = await runCommand(spec, input, { terminal, env, globals });
    },
  });
  try {
    if (argv[0] === COMPLETE) return await completeWords(argv.slice(1), env, terminal);
    if (argv.includes('--version')) {
      program.parseOptions([...argv]);
      const globals = readGlobals({ timeout: VERSION_TIMEOUT, ...program.opts() }, env, terminal);
      const { printVersions } = await import('./print-versions.ts');
      return await printVersions(globals, env, terminal);
    }
    await program.parseAsync(argv.length === 0 ? ['--help'] : [...argv], { from: 'user' });
    return code;
  } catch (error) {
    if (terminal.interrupted.aborted) return EXIT_CODES.interrupted;
    if (error instanceof CommanderError) return afterCommander(error, terminal);
    const known = toAppError(error);
    printError(terminal, known, isVerbose);
    return exitCodeOf(known);
  }
}

/** Loaded only then: it is called at each press of a key. */
async function completeWords(typed: readonly string[], env: Env, terminal: Terminal): Promise<number> {
  const { complete } = await import('./completion/complete.ts');
  await complete({ typed, env, terminal, globals: readGlobals({}, env, terminal) });
  return EXIT_CODES.ok;
}

function readGlobals(given: Readonly<Record<string, unknown>>, env: Env, terminal: Terminal): GlobalOptions {
  const text = (name: string): string | undefined => (typeof given[name] === 'string' ? given[name] : undefined);
  const output = text('output') ?? 'table';
  const timeout = text('timeout') ?? env['STELLA_TIMEOUT'];
  return {
    server: text('server'),
    context: text('context'),
    tokenFile: text('tokenFile'),
    output: parseOutput(output),
    isQuiet: given['quiet'] === true,
    isVerbose: given['verbose'] === true,
    isColored: given['color'] !== false && !env['NO_COLOR'] && !env['CI'] && terminal.isOutTty,
    timeoutMs: parseDuration(timeout ?? TIMEOUT_STANDARD),
    isTimeoutGiven: timeout !== undefined,
    isConfirmed: given['yes'] === true,
    isDryRun: given['dryRun'] === true,
  };
}

function parseOutput(text: string): OutputFormat {
  const known = OUTPUT_FORMATS.find((format) => format === text);
  if (known) return known;
  throw new AppError('cli.usage', {
    details: { message: `"${text}" is not a format; known: ${OUTPUT_FORMATS.join(', ')}` },
  });
}

/** Help was shown, or the usage is wrong: commander has said it to us, we say it in our form. */
function afterCommander(error: CommanderError, terminal: Terminal): number {
  if (error.exitCode === 0) return EXIT_CODES.ok;
  if (error.code === 'commander.help') return EXIT_CODES.usage;
  const message = error.message.replace(/^error: /, '').replace(/\s*\n\s*/g, ' ');
  printError(terminal, new AppError('cli.usage', { details: { message } }), false);
  return EXIT_CODES.usage;
}
