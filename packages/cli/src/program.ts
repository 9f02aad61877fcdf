/** The command registry → commander: help, options, suggestions; everything that commander says goes through our terminal. */
import { Command, Option } from 'commander';
import { type CommandInput, type CommandSpec, type OptionSpec, OUTPUT_FORMATS, type Terminal } from './command.ts';

export interface ProgramOrder {
  readonly commands: readonly CommandSpec[];
  readonly terminal: Terminal;
  /** What was typed: commands are made only below nouns that may be meant, and options of commands, which starts faster. */
  readonly argv: readonly string[];
  /** Runs the command that was chosen; its answer is the exit code. */
  readonly run: (spec: CommandSpec, input: CommandInput, globals: Readonly<Record<string, unknown>>) => Promise<void>;
}

const NOUN_SUMMARIES: Readonly<Record<string, string>> = {
  auth: 'Persons, tokens, logging in',
  'auth person': 'Persons who may act here',
  'auth token': 'Tokens of persons and automation',
  environment: 'Places that releases are promoted into',
  help: 'Help and reference',
  registry: 'Registries of artifacts',
  notify: 'Who is told of approvals, stalls and ends',
  drill: 'Faults to practise with, in a sandbox',
  orch: 'The orchestrator itself',
  'orch artifacts': 'What really runs',
  'orch config': 'Settings, changed while it runs',
  'orch credentials': 'Credentials, tried and never shown',
  'orch deployments': 'What was deployed',
  'orch env': 'Environments, as they run',
  'orch gate': 'Gates, as their services answer',
  'orch gate-services': 'Services that gates ask',
  'orch locks': 'Locks of promotions',
  promotion: 'Promotions of releases into environments',
  'promotion gate': 'One gate of a promotion',
  'promotion priority': 'Its place in the queue',
  rollback: 'Back to a release that completed in an environment before',
  release: 'Immutable releases',
  service: 'The orchestrator as a service of this machine',
};

const GLOBAL_OPTIONS: readonly OptionSpec[] = [
  { flags: '--server <url>', summary: 'the server to talk to' },
  { flags: '--context <context>', summary: 'a server from the configuration file' },
  { flags: '--token-file <path>', summary: 'a file with the token, 0600' },
  { flags: '--timeout <duration>', summary: 'how long to wait for an answer (30s)' },
  { flags: '-q, --quiet', summary: 'only data and errors' },
  { flags: '-v, --verbose', summary: 'more on stderr' },
  { flags: '--yes', summary: 'answer yes to every question' },
  { flags: '--no-color', summary: 'no colours' },
];
const OUTPUT_OPTION: OptionSpec = { flags: '-o, --output <format>', summary: 'how to print', choices: OUTPUT_FORMATS };
const DRY_RUN_OPTION: OptionSpec = { flags: '--dry-run', summary: 'check everything and change nothing' };

export function makeProgram({ commands, terminal, argv, run }: ProgramOrder): Command {
  const program = prepare(new Command('stella'), terminal)
    .description('Promotes immutable releases of containers from environment to environment.')
    .helpCommand(false)
    .option('--version', 'show the versions of client and server');
  addGlobals(program);
  for (const spec of commands) addCommand(program, spec, { terminal, argv, run });
  return program;
}

function addCommand(
  program: Command,
  spec: CommandSpec,
  { terminal, argv, run }: Omit<ProgramOrder, 'commands'>,
): void {
  const parent = parentOf(program, spec.path, { terminal, argv });
  if (!parent) return;
  const verb = spec.path.at(-1) ?? '';
  const command = prepare(new Command(verb), terminal).description(spec.summary);
  for (const { name, summary, isOptional } of spec.positionals ?? []) {
    command.argument(isOptional ? `[${name}]` : `<${name}>`, summary);
  }
  if (spec.path.every((word) => argv.includes(word))) addOptions(command, spec);
  command.action(async (...given: unknown[]) => {
    const positionals = given
      .slice(0, (spec.positionals ?? []).length)
      .filter((one) => one !== undefined)
      .map(String);
    await run(spec, { positionals, options: command.opts() }, command.optsWithGlobals());
  });
  parent.addCommand(command);
}

function addOptions(command: Command, spec: CommandSpec): void {
  for (const { flags, summary, isRequired, choices } of optionsOf(spec)) {
    if (choices) command.addOption(new Option(flags, summary).choices(choices));
    else if (isRequired) command.requiredOption(flags, summary);
    else command.option(flags, summary);
  }
  if (spec.examples)
    command.addHelpText('after', `\nExamples:\n${spec.examples.map((one) => `  $ ${one}`).join('\n')}`);
}

/** Its own and those that its kind brings, in the order of its help; null: those before any command. */
export function optionsOf(spec: CommandSpec | null): readonly OptionSpec[] {
  if (spec === null) return GLOBAL_OPTIONS;
  return [
    ...(spec.options ?? []),
    ...(spec.kind === 'local' ? [] : [...GLOBAL_OPTIONS, OUTPUT_OPTION]),
    ...(spec.kind === 'write' ? [DRY_RUN_OPTION] : []),
  ];
}

/** Of a noun: `['orch', 'locks']`. */
export function summaryOf(path: readonly string[]): string {
  return NOUN_SUMMARIES[path.join(' ')] ?? '';
}

/** `['orch', 'locks', 'list']` → the command `orch locks`, made when it is not there yet; null: nobody can mean what is below. */
function parentOf(
  program: Command,
  path: readonly string[],
  { terminal, argv }: Pick<ProgramOrder, 'terminal' | 'argv'>,
): Command | null {
  let parent = program;
  for (const [index, noun] of path.slice(0, -1).entries()) {
    const known = parent.commands.find((command) => command.name() === noun);
    const summary = summaryOf(path.slice(0, index + 1));
    const next = known ?? prepare(new Command(noun), terminal).description(summary).helpCommand(false);
    if (!known) parent.addCommand(next);
    if (!argv.includes(noun)) return null;
    parent = next;
  }
  return parent;
}

/** Accepted before and after the noun and verb. */
function addGlobals(command: Command): void {
  for (const { flags, summary } of GLOBAL_OPTIONS) command.option(flags, summary);
}

function prepare(command: Command, terminal: Terminal): Command {
  return command
    .exitOverride()
    .showSuggestionAfterError(true)
    .allowExcessArguments(false)
    .configureHelp({ helpWidth: Math.min(terminal.columns, 100), subcommandTerm: termOf })
    .configureOutput({
      writeOut: (text) => terminal.out(text),
      // Errors are printed once, by us.
      writeErr: () => undefined,
      outputError: () => undefined,
    });
}

/** A command in its parent's list: `show <release>`. */
function termOf(command: Command): string {
  const positionals = command.registeredArguments.map((one) => (one.required ? `<${one.name()}>` : `[${one.name()}]`));
  return [command.name(), ...positionals].join(' ');
}
