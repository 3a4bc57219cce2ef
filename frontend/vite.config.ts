// Every file src/*.ts is an entry of its own; folders below src hold what entries share.
// Pages find the built files through manifest.json, whose keys are the entries' paths.
import { readdirSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { defineConfig } from "vite";

const here = (path: string): string => fileURLToPath(new URL(path, import.meta.url));
const entries = readdirSync(here("./src"))
  .filter((name) => name.endsWith(".ts") && !name.endsWith(".d.ts"))
  .sort()
  .map((name) => here(`./src/${name}`));

export default defineConfig({
  // Relative, because a reverse proxy may show the service under a path of its own.
  base: "./",
  build: {
    outDir: here("../src/rynek/web/static/app"),
    emptyOutDir: true,
    manifest: "manifest.json",
    target: "es2022",
    // MapLibre alone is larger than the default warning allows.
    chunkSizeWarningLimit: 1500,
    rollupOptions: { input: entries },
  },
});
