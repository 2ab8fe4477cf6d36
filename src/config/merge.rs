//! Layers → [`Settings`]. Pure. One half lays a layer of the user's over what is there, the other lets a project tighten.

use std::fmt::Display;

use super::layer::Layer;
use super::parse::{Parsed, Places, shown};
use super::{ConfigError, EngineChoice, Isolation, Loaded, Settings, Warning, languages};
use crate::plan::Network;

/// Settings in the making.
#[derive(Default)]
pub(super) struct Merge {
    pub(super) settings: Settings,
    pub(super) warnings: Vec<Warning>,
}

impl Merge {
    pub(super) fn finish(self) -> Loaded {
        Loaded { settings: self.settings, warnings: self.warnings }
    }

    /// A layer of the user's own: it may say anything.
    pub(super) fn apply(&mut self, parsed: Parsed) -> Result<(), ConfigError> {
        let Parsed { layer, places, warnings } = parsed;
        self.warnings.extend(warnings);
        let settings = &mut self.settings;
        macro_rules! set {
            ($($target:ident).+, $value:expr, $key:literal) => {
                if let Some(value) = $value {
                    settings.$($target).+ = value;
                    settings.sources.insert($key.to_owned(), places.of($key));
                }
            };
        }
        set!(engine, layer.engine, "engine");
        // One of them takes the place of the other, whichever an earlier layer said.
        if layer.docker_host.is_some() || layer.docker_context.is_some() {
            settings.docker_host = None;
            settings.docker_context = None;
        }
        set!(docker_host, layer.docker_host.map(Some), "docker-host");
        set!(docker_context, layer.docker_context.map(Some), "docker-context");
        set!(toolchains, layer.toolchains, "toolchains");
        set!(isolation, layer.isolation, "isolation");
        set!(strict, layer.strict, "strict");
        set!(timeout, layer.timeout, "timeout");
        set!(compile_timeout, layer.compile_timeout, "compile-timeout");
        set!(cpus, layer.cpus, "cpus");
        set!(output_limit, layer.output_limit, "output-limit");
        set!(network, layer.network, "network");
        set!(warm.enabled, layer.warm.enabled, "warm.enabled");
        set!(warm.per_language, layer.warm.per_language, "warm.per-language");
        set!(warm.memory, layer.warm.memory, "warm.memory");
        set!(warm.idle_timeout, layer.warm.idle_timeout, "warm.idle-timeout");
        set!(warm.pull, layer.warm.pull, "warm.pull");
        let listen = layer.metrics.listen.as_deref().map(super::check::loopback);
        set!(metrics_listen, listen, "metrics.listen");
        if layer.memory.is_some() {
            settings.own.memory.clear();
            set!(memory, Some(layer.memory), "memory");
        }
        if layer.pids.is_some() {
            settings.own.pids.clear();
            set!(pids, Some(layer.pids), "pids");
        }
        for (name, value) in layer.env {
            let key = format!("env.{name}");
            settings.sources.insert(key.clone(), places.of(&key));
            settings.env.insert(name, value);
        }
        for (name, row) in layer.languages {
            languages::lay_over(settings, &name, row, &places)?;
        }
        Ok(())
    }

    /// A layer of the project's: it may only tighten.
    pub(super) fn tighten(&mut self, parsed: Parsed) {
        let Parsed { layer, places, warnings } = parsed;
        self.warnings.extend(warnings);
        self.refuse(&layer, &places);
        let Layer {
            engine,
            isolation,
            strict,
            timeout,
            compile_timeout,
            memory,
            cpus,
            pids,
            output_limit,
            network,
            ..
        } = layer;
        if let Some(engine) = engine {
            self.tighten_engine(engine, &places);
        }
        if let Some(isolation) = isolation {
            self.tighten_isolation(isolation, &places);
        }
        match strict {
            Some(true) => {
                self.settings.strict = true;
                self.note("strict", &places);
            }
            Some(false) if self.settings.strict => self.warn("strict", &places, "a project cannot turn it off"),
            _ => {}
        }
        match network {
            Some(Network::None) => {
                self.settings.network = Network::None;
                self.note("network", &places);
            }
            Some(Network::Bridge) if self.settings.network == Network::None => {
                self.warn("network", &places, "a project cannot give itself one");
            }
            _ => {}
        }
        let most = self.settings.timeout;
        self.lower("timeout", timeout, Some(most), &places, |settings, value| settings.timeout = value);
        let most = self.settings.compile_timeout;
        self.lower("compile-timeout", compile_timeout, Some(most), &places, |settings, value| {
            settings.compile_timeout = value;
        });
        let most = self.settings.cpus;
        self.lower("cpus", cpus, Some(most), &places, |settings, value| settings.cpus = value);
        let most = self.settings.output_limit;
        self.lower("output-limit", output_limit, Some(most), &places, |settings, value| settings.output_limit = value);
        // Each language has its own memory and processes, so there a lower value is a ceiling, and never a reason to warn.
        let most = self.settings.ceilings.memory;
        self.lower("memory", memory, most, &places, |settings, value| settings.ceilings.memory = Some(value));
        let most = self.settings.ceilings.pids;
        self.lower("pids", pids, most, &places, |settings, value| settings.ceilings.pids = Some(value));
    }

    fn lower<T: PartialOrd + Display + Copy>(
        &mut self,
        key: &str,
        wanted: Option<T>,
        most: Option<T>,
        places: &Places,
        set: impl FnOnce(&mut Settings, T),
    ) {
        let Some(wanted) = wanted else { return };
        match most {
            Some(most) if wanted > most => {
                self.warn(key, places, &format!("{wanted} is more than {most}, and a project can only lower it"));
            }
            _ => {
                set(&mut self.settings, wanted);
                self.note(key, places);
            }
        }
    }

    fn tighten_engine(&mut self, wanted: EngineChoice, places: &Places) {
        if self.settings.engine == EngineChoice::Auto {
            self.settings.engine = wanted;
            self.note("engine", places);
        } else if self.settings.engine != wanted {
            self.warn("engine", places, "a project cannot change the engine that was chosen");
        }
    }

    fn tighten_isolation(&mut self, wanted: Isolation, places: &Places) {
        let strength = |isolation| match isolation {
            Isolation::None => 0,
            Isolation::Auto => 1,
            Isolation::Gvisor | Isolation::Kata => 2,
        };
        if strength(wanted) > strength(self.settings.isolation) {
            self.settings.isolation = wanted;
            self.note("isolation", places);
        } else if wanted != self.settings.isolation {
            self.warn("isolation", places, "a project can only make it stronger");
        }
    }

    /// What a project has no say in.
    fn refuse(&mut self, layer: &Layer, places: &Places) {
        for (key, said) in [("docker-host", &layer.docker_host), ("docker-context", &layer.docker_context)] {
            if said.is_some() {
                self.warn(key, places, "a project cannot choose where code is sent");
            }
        }
        if layer.toolchains.is_some() {
            self.warn("toolchains", places, "a project cannot choose what of this machine a program sees");
        }
        if !layer.env.is_empty() {
            self.warn("env", places, "a project cannot set the environment");
        }
        if layer.warm != super::WarmLayer::default() {
            self.warn("warm", places, "a project cannot change what waits ahead of need");
        }
        if layer.metrics != super::MetricsLayer::default() {
            self.warn("metrics", places, "a project cannot open a port");
        }
        for name in layer.languages.keys() {
            self.warn(&format!("languages.{name}"), places, "a project cannot change languages, images and commands");
        }
    }

    fn warn(&mut self, key: &str, places: &Places, reason: &str) {
        self.warnings.push(Warning { place: places.of(key), text: format!("{} is ignored: {reason}", shown(key)) });
    }

    fn note(&mut self, key: &str, places: &Places) {
        self.settings.sources.insert(key.to_owned(), places.of(key));
    }
}
