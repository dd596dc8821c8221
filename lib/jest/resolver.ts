interface ResolverOptions {
  readonly conditions?: readonly string[];
  defaultResolver(request: string, options: ResolverOptions): string;
}

/**
 * A resolver for jest. It resolves the imports of an ES module that was translated to CommonJS with the
 * condition `require`, which some of the imported packages lack. The export has a name because jest 29 takes
 * no default export of an ES module.
 */
export function sync(request: string, options: ResolverOptions): string {
  const { defaultResolver, conditions = [] } = options;
  try {
    return defaultResolver(request, options);
  } catch (error) {
    const asImport = conditions.map((condition) => (condition === 'require' ? 'import' : condition));
    try {
      return defaultResolver(request, { ...options, conditions: asImport });
    } catch {
      throw error;
    }
  }
}
