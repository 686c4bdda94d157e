// Settings that belong to the person at this browser. Never needed for a page to work:
// a browser that refuses storage, or a value of another shape, gives the fallback.

const prefix = 'weir.';

export function readSetting<T>(key: string, isValid: (value: unknown) => value is T): T | null {
  try {
    const text = localStorage.getItem(prefix + key);
    if (text === null) return null;
    const value: unknown = JSON.parse(text);
    return isValid(value) ? value : null;
  } catch {
    return null;
  }
}

export function writeSetting(key: string, value: unknown): void {
  try {
    localStorage.setItem(prefix + key, JSON.stringify(value));
  } catch {
    // Storage is full or refused: the setting lasts for this page view only.
  }
}

export function removeSetting(key: string): void {
  try {
    localStorage.removeItem(prefix + key);
  } catch {
    // As above.
  }
}
