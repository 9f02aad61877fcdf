/** All generated files by path. */
import type { SourceTree } from '../code/source-tree.ts';
import { renderErrorsPage } from './errors-page.ts';
import { FENCE_SCRIPT_PATH, renderFenceScript } from './fence-script.ts';
import { FAULT_POINTS_PATH, renderFaultPoints } from './fault-points.ts';
import { renderMetricsPage } from './metrics-page.ts';
import { renderSettingsPage } from './settings-page.ts';

export function renderPages(tree: Pick<SourceTree, 'paths' | 'read'>): ReadonlyMap<string, string> {
  return new Map([
    ['docs/errors.md', renderErrorsPage()],
    ['docs/operating/metrics.md', renderMetricsPage()],
    ['docs/settings.md', renderSettingsPage()],
    [FAULT_POINTS_PATH, renderFaultPoints(tree)],
    [FENCE_SCRIPT_PATH, renderFenceScript(tree)],
  ]);
}
