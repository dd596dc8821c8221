/*
 * The levels of lib/. An import goes to a lower level or stays in its folder: never up, never sideways.
 * Everything below this table is derived from it; a folder or file that it does not list is an error.
 */
const levels = [
  ['errors/', 0],
  ['runtime/', 0],
  ['model/', 1],
  ['metadata/', 1],
  ['records/', 2],
  ['events/', 2],
  ['database/', 2],
  ['entities/', 3],
  ['sessions/', 3],
  ['pds/', 4],
  ['sync/', 5],
  ['pending/', 6],
  ['lanes/', 7],
  ['changes/', 8],
  ['inbound/', 8],
  ['maintenance/', 9],
  ['http/', 10],
  ['parity.service.ts', 10],
  ['parity.module*.ts', 11],
  ['testing/', 12],
  ['cli/', 12],
  ['bullmq/', 12],
  ['jest/', 12],
  ['index.ts', 13],
];

/** Packages that are only there for those who ask for them, and the one place that may import them. */
const optionalPeers = [
  ['@atproto/pds', '^lib/testing/'],
  ['@did-plc/server', '^lib/testing/'],
];

const escaped = (text) => text.replace(/[.*+?^${}()|[\]\\]/g, '\\$&');
const pathOf = (place) =>
  `^lib/${place.split('*').map(escaped).join('[^/]*')}${place.endsWith('/') ? '' : '$'}`;
const packagePath = (name) => `(^|/)node_modules/${escaped(name)}/|^${escaped(name)}(/|$)`;
const everywhere = levels.map(([place]) => pathOf(place));

/*
 * TypeScript 7 has no JavaScript API, so dependency-cruiser reads with swc, whose visitor stops at two things: it never
 * looks into types, where `import('../up.js').Up` is an import too, and it throws at `using`. Both are put right before
 * it starts. The bare `argument` is how dependency-cruiser's own visitor takes such an import.
 */
const { Visitor } = require('@swc/core/Visitor.js');
const { visitModule } = Visitor.prototype;
Visitor.prototype.visitModule = function (tree) {
  const open = [tree];
  for (const node of open) {
    if (node.type === 'TsImportType')
      this.visitTsTypeAnnotation({ typeAnnotation: { argument: node.argument } });
    if (node.type === 'UsingDeclaration') {
      Object.assign(node, { type: 'VariableDeclaration', kind: 'const', declarations: node.decls });
    }
    open.push(...Object.values(node).filter((value) => typeof value === 'object' && value !== null));
  }
  return visitModule.call(this, tree);
};

/** @type {import('dependency-cruiser').IConfiguration} */
module.exports = {
  forbidden: [
    ...levels.map(([place, level]) => ({
      name: `level-${level}-${place.replace(/\/$/, '')}`,
      comment: `lib/${place} is level ${level}: it may import itself and what is below level ${level}.`,
      severity: 'error',
      from: { path: pathOf(place) },
      to: {
        path: '^lib/',
        pathNot: [
          pathOf(place),
          ...levels.filter(([, other]) => other < level).map(([lower]) => pathOf(lower)),
        ],
      },
    })),
    ...[
      [{ path: '^lib/', pathNot: everywhere }, {}],
      [{}, { path: '^lib/', pathNot: everywhere }],
      [{ orphan: true, path: '^lib/', pathNot: everywhere }, {}],
    ].map(([from, to]) => ({
      name: 'no-place-without-a-level',
      comment:
        'A new folder or file directly under lib/ gets its level in the table of .dependency-cruiser.cjs.',
      severity: 'error',
      from,
      to,
    })),
    {
      name: 'no-circles',
      comment:
        'Type-only imports count: a circle of types is a circle of ideas. Entities of an application name each other in their relations.',
      severity: 'error',
      from: { pathNot: '^sample-app/.*\\.entity\\.ts$' },
      to: { circular: true },
    },
    {
      name: 'lib-not-by-package-name',
      comment: 'Inside lib/ the package name means the built package of an earlier build.',
      severity: 'error',
      from: { path: '^lib/' },
      to: { path: ['^nestjs-parity(/|$)', '^dist/'] },
    },
    {
      name: 'sample-app-by-package-name',
      comment: 'The sample app imports what users import: nestjs-parity or nestjs-parity/testing.',
      severity: 'error',
      from: { path: '^sample-app/' },
      to: { path: ['^lib/', '^test/', '^bench/'] },
    },
    {
      name: 'sample-app-only-public-exports',
      comment: 'The exports of package.json are the contract; a file path into dist/ is not.',
      severity: 'error',
      from: { path: '^sample-app/' },
      to: {
        path: ['^dist/', '^nestjs-parity/'],
        pathNot: ['^dist/(testing/)?index\\.(d\\.ts|js)$', '^nestjs-parity/testing$'],
      },
    },
    {
      name: 'sample-app-not-imported',
      severity: 'error',
      from: { path: '^lib/' },
      to: { path: ['^sample-app/', '^test/', '^bench/'] },
    },
    ...optionalPeers.map(([name, home]) => ({
      name: `optional-peer-${name}`,
      comment: `Users without ${name} must be able to import the package; only ${home.slice(1)} may need it.`,
      severity: 'error',
      from: { path: '^(lib|sample-app)/', pathNot: home },
      to: { path: packagePath(name) },
    })),
    {
      name: 'no-dev-dependencies',
      comment: 'Users do not have our devDependencies: make it a dependency, a peer, or an optional peer.',
      severity: 'error',
      from: { path: '^lib/', pathNot: '^lib/testing/' },
      to: { dependencyTypes: ['npm-dev'], dependencyTypesNot: ['npm', 'npm-peer', 'npm-optional'] },
    },
    {
      name: 'no-undeclared-dependencies',
      comment: 'A package that only happens to be installed is not there for users.',
      severity: 'error',
      from: { path: '^(lib|sample-app)/' },
      // an optional peer is npm-no-pkg too, because dependency-cruiser takes peerDependenciesMeta for a list of packages
      to: {
        dependencyTypes: ['npm-no-pkg', 'npm-unknown'],
        dependencyTypesNot: ['npm', 'npm-dev', 'npm-peer', 'npm-optional'],
      },
    },
    {
      name: 'no-unresolvable',
      comment: 'An import that leads nowhere escapes every other rule.',
      severity: 'error',
      from: {},
      to: { couldNotResolve: true, pathNot: '^nestjs-parity(/testing)?$' },
    },
  ],
  options: {
    // swc reads the source before compilation, so that type-only imports are there
    parser: 'swc',
    tsPreCompilationDeps: true,
    moduleSystems: ['es6', 'cjs', 'tsd'],
    combinedDependencies: false,
    doNotFollow: { path: ['node_modules', '^dist/'] },
    exclude: { path: ['^sample-app/dist/'] },
    enhancedResolveOptions: {
      exportsFields: ['exports'],
      conditionNames: ['types', 'import', 'node', 'default'],
      mainFields: ['types', 'main'],
    },
  },
};
