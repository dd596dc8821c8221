const reported = new Set<string>();

/**
 * A `describe` that needs something from outside. Without it the tests are skipped, and the reason is printed once per
 * test file; with CI=true they fail instead, because a skip there would hide that something is not tested any more.
 *
 * @param what it needs
 * @param missing why that cannot be used; undefined when it can
 */
export function describeWith(what: string, missing: string | undefined) {
  return (name: string, define: () => void): void => {
    if (missing === undefined) {
      describe(name, define);
    } else if (process.env['CI'] === 'true') {
      describe(name, () => {
        test(`has ${what}`, () => {
          throw new Error(missing);
        });
      });
    } else {
      if (!reported.has(missing)) process.stderr.write(`skipped: ${missing}\n`);
      reported.add(missing);
      describe.skip(name, define);
    }
  };
}
