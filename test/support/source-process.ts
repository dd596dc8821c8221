import { fork, type ChildProcess } from 'node:child_process';
import { fileURLToPath } from 'node:url';

/**
 * Starts a TypeScript file of the tests as a process of its own; its first argument is the input, as JSON.
 */
export function startSource(file: URL, input: object): ChildProcess {
  const fromSource = new URL('from-source.ts', import.meta.url).href;
  return fork(fileURLToPath(file), [JSON.stringify(input)], {
    execArgv: ['--disable-warning=ExperimentalWarning', `--import=${fromSource}`],
    stdio: ['ignore', 'ignore', 'inherit', 'ipc'],
  });
}
