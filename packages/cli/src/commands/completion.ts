/** `stella completion`: a script for the shell, which asks this program for words at each press of the key. */
import { AppError } from '@stella/domain/client';
import type { CommandSpec } from '../command.ts';

/** Without mapfile, which the bash of macOS lacks. */
const BASH = `# stella completion for bash; in ~/.bashrc:  source <(stella completion bash)
_stella() {
  local IFS=$'\\n' line
  COMPREPLY=()
  while IFS= read -r line; do
    if [ "$line" = ":files" ]; then
      compopt -o default 2>/dev/null
      return
    fi
    COMPREPLY+=("\${line%%$'\\t'*}")
  done < <("\${COMP_WORDS[0]}" __complete "\${COMP_WORDS[@]:1:COMP_CWORD}" 2>/dev/null)
}
complete -F _stella stella
`;

const ZSH = `#compdef stella
# stella completion for zsh; in ~/.zshrc, after compinit:  source <(stella completion zsh)
_stella() {
  local -a found described
  local line
  found=("\${(@f)$("\${words[1]}" __complete "\${(@)words[2,CURRENT]}" 2>/dev/null)}")
  if [[ "\${found[1]}" == ":files" ]]; then
    _files
    return
  fi
  for line in "\${found[@]}"; do
    [[ -z "$line" ]] && continue
    if [[ "$line" == *$'\\t'* ]]; then
      described+=("\${\${line%%$'\\t'*}//:/\\\\:}:\${line#*$'\\t'}")
    else
      described+=("\${line//:/\\\\:}")
    fi
  done
  _describe 'stella' described
}
compdef _stella stella
`;

const FISH = `# stella completion for fish; in ~/.config/fish/completions/stella.fish:  stella completion fish | source
function __stella_complete
    set -l typed (commandline -opc)
    set -l found ($typed[1] __complete $typed[2..-1] (commandline -ct) 2>/dev/null)
    if test "$found[1]" = ":files"
        __fish_complete_path (commandline -ct)
    else
        printf '%s\\n' $found
    end
end
complete -c stella -f -a '(__stella_complete)'
`;

const SCRIPTS: Readonly<Record<string, string>> = { bash: BASH, zsh: ZSH, fish: FISH };

export const completion: CommandSpec = {
  path: ['completion'],
  summary: 'Words for the tab key of bash, zsh and fish, with ids and names from the server',
  kind: 'local',
  positionals: [{ name: 'shell', summary: 'bash, zsh or fish' }],
  examples: ['source <(stella completion bash)', 'stella completion fish'],
  run({ terminal }, { positionals: [shell = ''] }) {
    const script = SCRIPTS[shell];
    if (script === undefined) {
      const message = `no completion for "${shell}"; known: ${Object.keys(SCRIPTS).join(', ')}`;
      throw new AppError('cli.usage', { details: { message } });
    }
    terminal.out(script);
    return Promise.resolve(undefined);
  },
};
