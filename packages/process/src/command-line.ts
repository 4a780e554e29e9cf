// A command as a person writes it into a variable, taken apart without a shell.

/** The words of a command line: blanks separate, quotes and backslashes keep together. Nothing is expanded. */
export function splitWords(line: string): string[] {
  const words: string[] = [];
  const word = /((?:[^\s"'\\]|\\.|"(?:[^"\\]|\\.)*"|'[^']*')+)/g;
  for (const [match] of line.matchAll(word)) {
    const parts = match.matchAll(/"((?:[^"\\]|\\.)*)"|'([^']*)'|\\(.)|([^"'\\]+)/g);
    words.push(
      [...parts]
        .map(([, double, single, escaped, plain]) => {
          return double?.replaceAll(/\\(["\\$`])/g, '$1') ?? single ?? escaped ?? plain ?? '';
        })
        .join(''),
    );
  }
  return words;
}
