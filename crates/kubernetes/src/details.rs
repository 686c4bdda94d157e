//! Objects by name, for a person who looks at one of them.
//!
//! Each of these looks through all objects of a kind: a question of a person, not of a flow.

use std::sync::Arc;

use crate::directory::Directory;
use crate::objects::{Meta, Namespace, Node, Pod, Service};

impl Directory {
    /// The Pod of that name; of several, one that exists.
    pub fn pod_named(&self, namespace: &str, name: &str) -> Option<&Arc<Pod>> {
        self.pods.all().find(|pod| is_named(&pod.meta, namespace, name))
    }

    pub fn service_named(&self, namespace: &str, name: &str) -> Option<&Arc<Service>> {
        self.services.all().find(|service| is_named(&service.meta, namespace, name))
    }

    pub fn node_named(&self, name: &str) -> Option<&Arc<Node>> {
        self.nodes.all().find(|node| *node.meta.name == *name)
    }

    pub fn namespace_named(&self, name: &str) -> Option<&Arc<Namespace>> {
        self.namespaces.all().find(|namespace| *namespace.meta.name == *name)
    }

    /// Pods whose top controller has that name, those that exist first.
    pub fn pods_of_workload<'a>(
        &'a self,
        namespace: &'a str,
        name: &'a str,
    ) -> impl Iterator<Item = &'a Arc<Pod>> {
        let in_namespace = self.pods.all().filter(move |pod| *pod.meta.namespace == *namespace);
        in_namespace.filter(move |pod| **self.workload_of(pod).name == *name)
    }

    /// Pods that stand behind a Service now.
    pub fn pods_of_service(&self, namespace: &str, name: &str) -> Vec<&Arc<Pod>> {
        let slices = self.slices.living().filter(|slice| {
            *slice.meta.namespace == *namespace && slice.service.as_deref() == Some(name)
        });
        let uids = slices.flat_map(|slice| &slice.endpoints);
        let mut pods: Vec<&Arc<Pod>> =
            uids.filter_map(|end| self.pods.get(end.pod_uid.as_ref()?)).collect();
        pods.sort_by(|a, b| a.meta.name.cmp(&b.meta.name));
        pods.dedup_by(|a, b| a.meta.uid == b.meta.uid);
        pods
    }

    /// Pods that run on a node.
    pub fn pods_on<'a>(&'a self, node: &'a str) -> impl Iterator<Item = &'a Arc<Pod>> {
        self.pods.living().filter(move |pod| pod.node.as_deref() == Some(node))
    }

    /// Whether the Pod exists now.
    pub fn is_living(&self, pod: &Pod) -> bool {
        self.pods.is_living(&pod.meta.uid) && !pod.is_over
    }
}

fn is_named(meta: &Meta, namespace: &str, name: &str) -> bool {
    *meta.name == *name && *meta.namespace == *namespace
}
