// The one theme: Mantine's scales and Headrace's own tokens, light and dark. No component sets a hex of its own.
import { createTheme, type CSSVariablesResolver, type MantineColorsTuple } from '@mantine/core';

const race: MantineColorsTuple = [
  '#EFF9FD', '#D8F0F9', '#B4E0EF', '#86C9E1', '#52AFCD', '#2594B3', '#087B97', '#03657D', '#025064', '#023948',
];
const gray: MantineColorsTuple = [
  '#F9FAFB', '#F3F5F6', '#EAEDEF', '#E0E3E6', '#CDD2D5', '#A6ACB0', '#7A8186', '#5A6266', '#3D454B', '#141A1E',
];
const dark: MantineColorsTuple = [
  '#E6EAED', '#C6CBCF', '#9EA4A9', '#6E767B', '#3E454A', '#292F33', '#1E2428', '#151A1E', '#0E1316', '#080C0F',
];

const sans = 'Inter, system-ui, -apple-system, "Segoe UI", sans-serif';
const mono = '"JetBrains Mono Variable", ui-monospace, SFMono-Regular, Menlo, monospace';

export const theme = createTheme({
  colors: { race, gray, dark },
  primaryColor: 'race',
  primaryShade: { light: 7, dark: 4 },
  autoContrast: true,
  luminanceThreshold: 0.36,
  black: '#141A1E',
  fontFamily: sans,
  fontFamilyMonospace: mono,
  fontSizes: { xs: '11px', sm: '12px', md: '13px', lg: '14px', xl: '16px' },
  lineHeights: { xs: '16px', sm: '16px', md: '20px', lg: '20px', xl: '24px' },
  spacing: { xs: '4px', sm: '8px', md: '12px', lg: '16px', xl: '24px' },
  radius: { xs: '3px', sm: '4px', md: '6px', lg: '8px', xl: '10px' },
  defaultRadius: 'md',
  headings: {
    fontFamily: sans,
    sizes: {
      h1: { fontSize: '20px', lineHeight: '28px', fontWeight: '600' },
      h2: { fontSize: '14px', lineHeight: '20px', fontWeight: '600' },
      h3: { fontSize: '12px', lineHeight: '16px', fontWeight: '550' },
    },
  },
  respectReducedMotion: true,
  components: {
    Modal: { defaultProps: { lockScroll: false, centered: true, transitionProps: { duration: 180 } } },
    DrawerRoot: { defaultProps: { lockScroll: false, transitionProps: { duration: 180 } } },
    Tooltip: { defaultProps: { openDelay: 250, withArrow: false } },
  },
});

const light = {
  '--canvas': '#F9FAFB', '--surface': '#FFFFFF', '--sunken': '#F3F5F6', '--hover': '#F3F5F6',
  '--line': '#E0E3E6', '--line-soft': '#EAEDEF', '--line-strong': '#A6ACB0', '--ctl': '#7A8186',
  '--text': '#141A1E', '--text2': '#3D454B', '--text3': '#5A6266',
  '--accent': '#03657D', '--accent-h': '#025064', '--accent-soft': '#EFF9FD', '--accent-line': '#86C9E1',
  '--on-accent': '#FFFFFF', '--focus': '#087B97',
  '--running': '#1D5FC4', '--running-bg': '#EAF2FE', '--completed': '#0B7048', '--completed-bg': '#E7F6EE',
  '--failed': '#BC2733', '--failed-bg': '#FDEDED', '--crashed': '#8F2F86', '--crashed-bg': '#FAEDF8',
  '--paused': '#8A5A00', '--paused-bg': '#FDF3DF', '--queued': '#5A6266', '--queued-bg': '#F0F2F3',
  '--helped': '#06735A', '--harmless': '#5A6266', '--harmful': '#B83F06', '--verifying': '#1D5FC4',
  '--s1': '#1C49BE', '--s2': '#BA3E00', '--s3': '#0CA48A', '--s4': '#8C1D49',
  '--s5': '#A28B3E', '--s6': '#603A85', '--s7': '#217AAC', '--s8': '#696C6E',
  '--grid': '#EDEFF1', '--mark': '#FFE2CF', '--mark-line': '#B83F06',
  '--add': '#E6F5EC', '--del': '#FCEBEA', '--kept': '#75ABB8', '--dropped': '#E7B49E',
  '--shadow1': '0 1px 2px rgba(20,26,30,.06),0 4px 12px rgba(20,26,30,.08)',
  '--shadow2': '0 2px 6px rgba(20,26,30,.08),0 16px 40px rgba(20,26,30,.16)',
};

const night: typeof light = {
  '--canvas': '#0E1316', '--surface': '#151A1E', '--sunken': '#11161A', '--hover': '#1E2428',
  '--line': '#292F33', '--line-soft': '#21272B', '--line-strong': '#565E64', '--ctl': '#6E767B',
  '--text': '#E6EAED', '--text2': '#C6CBCF', '--text3': '#9EA4A9',
  '--accent': '#52AFCD', '--accent-h': '#86C9E1', '--accent-soft': '#0F2A34', '--accent-line': '#1F5E73',
  '--on-accent': '#06181F', '--focus': '#52AFCD',
  '--running': '#7FB0FF', '--running-bg': '#14233D', '--completed': '#5CC796', '--completed-bg': '#10291F',
  '--failed': '#FF8A8A', '--failed-bg': '#34181B', '--crashed': '#E08FD6', '--crashed-bg': '#2D1A2B',
  '--paused': '#E6B45A', '--paused-bg': '#2C2312', '--queued': '#9EA4A9', '--queued-bg': '#1E2428',
  '--helped': '#4CC9A6', '--harmless': '#9EA4A9', '--harmful': '#FF9A62', '--verifying': '#7FB0FF',
  '--s1': '#5186FF', '--s2': '#F9A767', '--s3': '#9BE9DB', '--s4': '#D83977',
  '--s5': '#B88E02', '--s6': '#916CB9', '--s7': '#58BAFA', '--s8': '#9EA5AB',
  '--grid': '#20262A', '--mark': '#4A2A14', '--mark-line': '#FF9A62',
  '--add': '#10291F', '--del': '#34181B', '--kept': '#3A7385', '--dropped': '#9A5A3C',
  '--shadow1': '0 1px 2px rgba(0,0,0,.5),0 4px 12px rgba(0,0,0,.4)',
  '--shadow2': '0 2px 6px rgba(0,0,0,.5),0 16px 40px rgba(0,0,0,.6)',
};

/** Mantine's own roles, told in the tokens above. */
const roles = {
  '--mantine-color-body': 'var(--canvas)',
  '--mantine-color-text': 'var(--text)',
  '--mantine-color-dimmed': 'var(--text3)',
  '--mantine-color-placeholder': 'var(--text3)',
  '--mantine-color-default': 'var(--surface)',
  '--mantine-color-default-hover': 'var(--hover)',
  '--mantine-color-default-color': 'var(--text)',
  '--mantine-color-default-border': 'var(--line)',
  '--mantine-color-anchor': 'var(--accent)',
  '--mantine-color-error': 'var(--failed)',
};

export const cssVariablesResolver: CSSVariablesResolver = () => ({
  variables: {},
  light: { ...light, ...roles },
  dark: { ...night, ...roles },
});
