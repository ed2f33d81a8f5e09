// Small things the browser remembers. A browser that keeps nothing is no error.

export function recall(storage: () => Storage, name: string): string | null {
  try {
    return storage().getItem(name);
  } catch {
    return null;
  }
}

export function keep(storage: () => Storage, name: string, value: string | null): void {
  try {
    if (value === null) storage().removeItem(name);
    else storage().setItem(name, value);
  } catch {
    // Full, or forbidden: then it lasts as long as the page.
  }
}

export const forTab = (): Storage => window.sessionStorage;
export const forGood = (): Storage => window.localStorage;
