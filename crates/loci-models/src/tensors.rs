//! Tensors by name, with the shape that the architecture asks for, as the executor wants them.

use std::collections::BTreeSet;

use loci_kernels::Pool;
use loci_kernels::linear::PackedMatrix;
use loci_kernels::quant::dequantize;

use crate::cpu::Linear;
use crate::error::ModelError;
use crate::source::{Raw, Source};

/// Takes tensors out of a source and remembers which were taken.
pub(crate) struct Tensors<'a> {
    source: &'a Source,
    pool: &'a Pool,
    used: BTreeSet<String>,
}

impl<'a> Tensors<'a> {
    /// All tensors of `source`; matrices are packed on `pool`.
    pub(crate) fn new(source: &'a Source, pool: &'a Pool) -> Self {
        Self { source, pool, used: BTreeSet::new() }
    }

    /// Whether there is a tensor of this name.
    pub(crate) fn has(&self, name: &str) -> bool {
        self.source.names().any(|other| other == name)
    }

    /// `{name}.weight [out_features, in_features]`, packed, and `{name}.bias`, if there. Row `r` of the result is row
    /// `order(r)` of the source. The mapped pages of the weight are let go.
    pub(crate) fn linear(
        &mut self,
        name: &str,
        out_features: usize,
        in_features: usize,
        order: &(dyn Fn(usize) -> usize + Sync),
    ) -> Result<Linear, ModelError> {
        let weight = format!("{name}.weight");
        let raw = self.need(&weight, &[out_features, in_features])?;
        let matrix = PackedMatrix::pack(raw.ty, raw.bytes, out_features, in_features, order, self.pool)
            .map_err(|source| ModelError::Pack {
                path: self.source.path().to_owned(),
                tensor: weight.clone(),
                source,
            })?;
        self.source.release(&weight);
        let bias = format!("{name}.bias");
        let bias = match self.source.tensor(&bias)? {
            None => None,
            Some(_) => {
                let stored = self.vector(&bias, out_features)?;
                Some((0..out_features).map(|row| stored.get(order(row)).copied().unwrap_or(0.0)).collect())
            }
        };
        Ok(Linear { matrix, bias })
    }

    /// A tensor of one dimension.
    pub(crate) fn vector(&mut self, name: &str, length: usize) -> Result<Vec<f32>, ModelError> {
        self.values(name, &[length])
    }

    /// A tensor as numbers, row after row; its mapped pages are let go.
    pub(crate) fn values(&mut self, name: &str, shape: &[usize]) -> Result<Vec<f32>, ModelError> {
        let raw = self.need(name, shape)?;
        let mut values = vec![0.0; shape.iter().product()];
        dequantize(raw.ty, raw.bytes, &mut values);
        self.source.release(name);
        Ok(values)
    }

    fn need(&mut self, name: &str, shape: &[usize]) -> Result<Raw<'a>, ModelError> {
        let path = || self.source.path().to_owned();
        let raw = self
            .source
            .tensor(name)?
            .ok_or_else(|| ModelError::MissingTensor { path: path(), tensor: name.to_owned() })?;
        if raw.shape != shape {
            return Err(ModelError::TensorShape {
                path: path(),
                tensor: name.to_owned(),
                expected: shape.to_vec(),
                found: raw.shape.to_vec(),
            });
        }
        self.used.insert(name.to_owned());
        Ok(raw)
    }

    /// Names of tensors that were not taken.
    pub(crate) fn unused(&self) -> impl Iterator<Item = &'a str> {
        self.source.names().filter(|name| !self.used.contains(*name))
    }
}
