// Checks the dashboards against Grafana's own types, panels' options and units included:
//   npm install --prefix DIR --ignore-scripts --legacy-peer-deps @grafana/schema@12.1.0 @grafana/data@12.1.0 typescript && node grafana/check_types.mjs DIR
// The version is the compose file's.
import { readFileSync, readdirSync, writeFileSync } from "node:fs";
import { execFileSync } from "node:child_process";
import { dirname, join, resolve } from "node:path";
import { fileURLToPath } from "node:url";

const here = dirname(fileURLToPath(import.meta.url));
const packages = resolve(process.argv[2] ?? "."), modules = join(packages, "node_modules");
const raw = "./node_modules/@grafana/schema/dist/types/raw";
const units = new Set([...readFileSync(join(modules, "@grafana/data/dist/esm/valueFormats/categories.mjs"), "utf8").matchAll(/\bid: "([^"]+)"/g)].map(m => m[1]));
const json = value => JSON.stringify(value, null, 1);
let wrong = 0, checked = 0;

// Enumerations as the strings and numbers that JSON has; what a panel leaves out is filled in by Grafana.
let source = `import { Dashboard, Panel, RowPanel, AnnotationQuery, VariableModel, FieldConfig } from "${raw}/dashboard/x/dashboard_types.gen";
type Plain<T> = unknown extends T ? T : T extends string ? \`\${T}\` : T extends number ? (number extends T ? T : \`\${T}\` extends \`\${infer N extends number}\` ? N : never)
  : T extends (infer U)[] ? Plain<U>[] : T extends object ? { [K in keyof T]?: Plain<T[K]> } : T;
type Query = { refId: string; datasource: { type: "prometheus"; uid: string }; expr: string; legendFormat?: string; instant?: boolean; range?: boolean; format?: "time_series" | "table" | "heatmap" };
`;
const types = new Map();
for (const file of readdirSync(join(here, "dashboards")).filter(name => name.endsWith(".json"))) {
  const { panels, annotations, templating, ...board } = JSON.parse(readFileSync(join(here, "dashboards", file), "utf8"));
  const name = file.replace(/\W/g, "_");
  source += `// ${file}\nconst ${name}: Plain<Dashboard> = ${json(board)};\n`;
  // "expr" within the target is the data source's own; the query of a variable is free-form.
  annotations.list.forEach((annotation, i) => source += `const ${name}_annotation${i}: Plain<Omit<AnnotationQuery, "target">> & { target: { refId: string; expr: string }; titleFormat?: string } = ${json(annotation)};\n`);
  templating.list.forEach((variable, i) => source += `const ${name}_variable${i}: Plain<VariableModel> = ${json(variable)};\n`);
  for (const { options, fieldConfig, targets, ...panel } of panels) {
    checked++;
    const at = `${name}_panel${panel.id}`;
    if (panel.type === "row") {
      source += `const ${at}: Plain<RowPanel> = ${json(panel)};\n`;
      continue;
    }
    types.set(panel.type, `${raw}/composable/${panel.type}/panelcfg/x/${{ timeseries: "TimeSeries" }[panel.type] ?? panel.type[0].toUpperCase() + panel.type.slice(1)}PanelCfg_types.gen`);
    const { custom = {}, ...defaults } = fieldConfig.defaults;
    source += `const ${at}: Plain<Panel> = ${json(panel)};\nconst ${at}_options: Plain<${panel.type}.Options> = ${json(options)};\nconst ${at}_field: Plain<FieldConfig> = ${json(defaults)};\n`;
    // Single figures have no fields of their own type's to configure.
    source += `const ${at}_custom: ${["stat", "gauge"].includes(panel.type) ? "Record<string, never>" : `Plain<${panel.type}.FieldConfig>`} = ${json(custom)};\nconst ${at}_queries: Query[] = ${json(targets)};\n`;
    if (defaults.unit && !units.has(defaults.unit)) {
      console.error(`${file}, ${panel.title}: Grafana has no unit ${defaults.unit}`);
      wrong++;
    }
  }
}
source = [...types].map(([type, path]) => `import * as ${type} from "${path}";\n`).join("") + source;
writeFileSync(join(packages, "dashboards.ts"), source);
try {
  execFileSync(join(modules, ".bin/tsc"), ["--noEmit", "--strict", "--skipLibCheck", "--target", "es2022", "--module", "esnext", "--moduleResolution", "bundler", "dashboards.ts"], { cwd: packages, encoding: "utf8" });
} catch (refused) {
  console.error(refused.stdout || refused.message);
  wrong++;
}
console.log(wrong ? "the dashboards are not what Grafana takes" : `${checked} panels are what Grafana takes`);
process.exit(wrong ? 1 : 0);
