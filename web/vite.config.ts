import { defineConfig } from "vite";

// One page, one script, one sheet of style, under names that never change: the files are kept in the repository and
// named in the server's source.
export default defineConfig({
  base: "./",
  oxc: { jsx: { runtime: "automatic", importSource: "preact" } },
  build: {
    outDir: process.env.LOCI_WEB_OUT ?? "dist",
    emptyOutDir: true,
    target: "es2022",
    // So that light-dark() is left as it is written.
    cssTarget: ["chrome123", "firefox120", "safari17.5"],
    modulePreload: false,
    cssCodeSplit: false,
    assetsInlineLimit: 0,
    rollupOptions: {
      output: {
        codeSplitting: false,
        entryFileNames: "app.js",
        assetFileNames: "app[extname]",
      },
    },
  },
  server: {
    proxy: Object.fromEntries(
      ["/v1", "/health", "/metrics", "/mock"].map((path) => [
        path,
        process.env.LOCI_BASE_URL ?? "http://127.0.0.1:8090",
      ]),
    ),
  },
});
