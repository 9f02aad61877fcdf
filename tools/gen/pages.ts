/** All generated pages by path. */
import { ERROR_CODES_PATH, renderErrorsPage } from './errors-page.ts';
import { renderSettingsPage } from './settings-page.ts';

/** `read` gives the text of a file of the tree, null when there is none. */
export function renderPages(read: (path: string) => string | null): ReadonlyMap<string, string> {
  return new Map([
    ['docs/errors.md', renderErrorsPage(read(ERROR_CODES_PATH) ?? '')],
    ['docs/settings.md', renderSettingsPage()],
  ]);
}
