/** Reads the configuration of a command, in which sources can name every provider that is coded or described. */
import { type FindProviders, loadConfig } from '../config/load.js'
import type { Config } from '../config/types.js'
import { ProviderCatalog } from '../providers/catalog.js'

/** @throws ConnectorError CONFIG_INVALID: the directory can't be read */
export const findProviders: FindProviders = (directory) => new ProviderCatalog(directory)

/** @throws ConnectorError CONFIG_INVALID: its message has one line for each problem */
export const readConfiguration = (file: string): Config => loadConfig(file, process.env, { findProviders })
