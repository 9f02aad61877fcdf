/** Names the file that a system test adds its figures to, as lines of JSON; they are printed after everything else. */
export const FIGURES_VARIABLE = 'SYSTEM_TEST_FIGURES';
