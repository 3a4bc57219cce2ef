/** The view in the address: `#zoom/latitude/longitude/themes`, so that a view can be sent on. */

export interface HashView {
  centre?: [number, number];
  zoom?: number;
  themes?: string[] | undefined;
}

export function readHash(): HashView {
  const [zoom, lat, lon, themes] = location.hash.slice(1).split("/");
  const view: HashView = {};
  const numbers = [zoom, lat, lon].map((part) => Number.parseFloat(part ?? ""));
  const [z, y, x] = numbers as [number, number, number];
  if (numbers.every(Number.isFinite) && Math.abs(y) <= 85 && Math.abs(x) <= 180) {
    view.centre = [x, y];
    view.zoom = Math.min(19, Math.max(1, z));
  }
  if (themes) view.themes = themes.split(",").filter((key) => /^[a-z]+$/.test(key));
  return view;
}

export function writeHash(view: Required<Pick<HashView, "centre" | "zoom">> & Pick<HashView, "themes">): void {
  const [lon, lat] = view.centre;
  const parts = [view.zoom.toFixed(2), lat.toFixed(5), lon.toFixed(5)];
  if (view.themes) parts.push(view.themes.join(",") || "none");
  history.replaceState(null, "", `#${parts.join("/")}`);
}
