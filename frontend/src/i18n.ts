/** Messages in the page's language. English is the key; the server sends what differs from it. */

interface Catalogue {
  language: string;
  plurals: Intl.LDMLPluralRule[];
  messages: Record<string, string | string[]>;
}
type Values = Record<string, string | number>;

export const language = document.documentElement.lang || "en";
let catalogue: Catalogue = { language: "en", plurals: ["one", "other"], messages: {} };
let loading: Promise<void> | undefined;

/** Loads the messages once; resolves in any case, in English when they cannot be had. */
export function ready(): Promise<void> {
  loading ??= load();
  return loading;
}

async function load(): Promise<void> {
  const url = document.documentElement.dataset["messages"];
  if (!url) return;
  try {
    const answer = await fetch(url);
    if (answer.ok) catalogue = (await answer.json()) as Catalogue;
  } catch {
    // English is better than nothing.
  }
}

function fill(message: string, values: Values): string {
  return message.replace(/%\((\w+)\)s/g, (whole, name: string) => String(values[name] ?? whole));
}

/** The message in the page's language, `%(name)s` filled from `values`. */
export function t(message: string, values: Values = {}): string {
  const found = catalogue.messages[message];
  return fill(typeof found === "string" ? found : message, values);
}

/** The right plural form for `num`, which fills `%(num)s` as a written number. */
export function tn(one: string, many: string, num: number, values: Values = {}): string {
  const forms = catalogue.messages[one];
  const known = Array.isArray(forms) ? catalogue : undefined;
  const rule = new Intl.PluralRules(known ? catalogue.language : "en").select(num);
  const index = (known?.plurals ?? ["one", "other"]).indexOf(rule);
  const list = Array.isArray(forms) ? forms : [one, many];
  const form = list[index < 0 ? list.length - 1 : index] ?? many;
  return fill(form, { num: num.toLocaleString(language), ...values });
}
