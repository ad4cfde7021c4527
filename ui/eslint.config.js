import hooks from 'eslint-plugin-react-hooks';
import importX, { createNodeResolver } from 'eslint-plugin-import-x';
import tseslint from 'typescript-eslint';

// pages -> components -> charts -> api -> figures: each floor knows only those under it.
const floors = ['pages', 'components', 'charts', 'api', 'figures'];
const zones = floors.flatMap((floor, index) =>
  floors.slice(0, index).map((above) => ({
    target: `./src/${floor}`,
    from: `./src/${above}`,
    message: `${floor} stands under ${above} and may not import it.`,
  })),
);

export default tseslint.config(
  { ignores: ['dist', 'src/api/schema.d.ts'] },
  ...tseslint.configs.strict,
  {
    files: ['src/**/*.{ts,tsx}', '*.ts'],
    plugins: { 'react-hooks': hooks, 'import-x': importX },
    settings: { 'import-x/resolver-next': [createNodeResolver({ extensions: ['.ts', '.tsx', '.js'] })] },
    rules: {
      ...hooks.configs.recommended.rules,
      'import-x/no-restricted-paths': ['error', { zones }],
      'import-x/no-cycle': 'error',
      'no-restricted-syntax': [
        'error',
        { selector: "JSXAttribute[name.name='dangerouslySetInnerHTML']", message: 'Text is never HTML.' },
      ],
      '@typescript-eslint/no-unused-vars': ['error', { varsIgnorePattern: '^_' }],
      'max-lines': ['error', { max: 400 }],
    },
  },
);
