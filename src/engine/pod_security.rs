//! The Pod Security Standards, read off a pod's spec before it is written.
//!
//! A pod that its namespace refuses shows up as a workload without pods, with
//! the reason in an event; here it is an error with a path. The same check runs
//! on templates, where a value that is an expression is let through (it is not
//! known yet), and on what they render to. Pods inside custom resources are
//! their operator's business: the namespace's label still holds for them.

use serde_json::Value;

use super::Fault;
use super::pods::{self, CONTAINERS};
use super::text::has_expression;
use crate::api::engine::PodSecurity;

/// The volumes that `restricted` allows.
const VOLUMES: &[&str] = &[
    "configMap",
    "csi",
    "downwardAPI",
    "emptyDir",
    "ephemeral",
    "image",
    "persistentVolumeClaim",
    "projected",
    "secret",
];
/// The capabilities that `baseline` lets containers add.
const BASELINE_CAPABILITIES: &[&str] = &[
    "AUDIT_WRITE",
    "CHOWN",
    "DAC_OVERRIDE",
    "FOWNER",
    "FSETID",
    "KILL",
    "MKNOD",
    "NET_BIND_SERVICE",
    "SETFCAP",
    "SETGID",
    "SETPCAP",
    "SETUID",
    "SYS_CHROOT",
];
/// The sysctls that `baseline` lets pods set.
const SYSCTLS: &[&str] = &[
    "kernel.shm_rmid_forced",
    "net.ipv4.ip_local_port_range",
    "net.ipv4.ip_local_reserved_ports",
    "net.ipv4.ip_unprivileged_port_start",
    "net.ipv4.ping_group_range",
    "net.ipv4.tcp_fin_timeout",
    "net.ipv4.tcp_keepalive_intvl",
    "net.ipv4.tcp_keepalive_probes",
    "net.ipv4.tcp_keepalive_time",
    "net.ipv4.tcp_rmem",
    "net.ipv4.tcp_wmem",
    "net.ipv4.tcp_syncookies",
];
/// The types of `SELinux` label that `baseline` lets containers have.
const SELINUX_TYPES: &[&str] = &["", "container_t", "container_init_t", "container_kvm_t", "container_engine_t"];

/// The first thing about the object's pods that the level does not allow.
pub fn check(object: &Value, level: PodSecurity) -> Result<(), Fault> {
    if level == PodSecurity::Privileged {
        return Ok(());
    }
    let Some((template, path)) = pods::template(object) else { return Ok(()) };
    let spec = &template["spec"];
    pod(spec, level).map_err(|fault| fault.under("spec").below(&path))
}

/// Whether the value is an expression, whose result is not known yet.
fn unknown(value: &Value) -> bool {
    value.as_str().is_some_and(has_expression)
}

/// The value is this, or not known yet.
fn is(value: &Value, wanted: &Value) -> bool {
    unknown(value) || value == wanted
}

/// The value is absent, one of these, or not known yet.
fn absent_or(value: &Value, allowed: &[&str]) -> bool {
    value.is_null() || unknown(value) || value.as_str().is_some_and(|text| allowed.contains(&text))
}

fn pod(spec: &Value, level: PodSecurity) -> Result<(), Fault> {
    if unknown(spec) {
        return Ok(());
    }
    for field in ["hostNetwork", "hostPID", "hostIPC"] {
        if spec[field] == true {
            return Err(Fault::at(field, "Pod Security does not allow the node's own namespaces"));
        }
    }
    for (index, volume) in spec["volumes"].as_array().into_iter().flatten().enumerate() {
        check_volume(volume, level).map_err(|fault| fault.item(index).under("volumes"))?;
    }
    let context = &spec["securityContext"];
    check_shared(context).map_err(|fault| fault.under("securityContext"))?;
    for (index, sysctl) in context["sysctls"].as_array().into_iter().flatten().enumerate() {
        if !absent_or(&sysctl["name"], SYSCTLS) {
            let fault = Fault::at("name", "Pod Security does not allow this sysctl");
            return Err(fault.item(index).under("sysctls").under("securityContext"));
        }
    }
    for list in CONTAINERS {
        for (index, container) in spec[*list].as_array().into_iter().flatten().enumerate() {
            check_container(container, context, level).map_err(|fault| fault.item(index).under(list))?;
        }
    }
    Ok(())
}

fn check_volume(volume: &Value, level: PodSecurity) -> Result<(), Fault> {
    for (source, value) in volume.as_object().into_iter().flatten() {
        let allowed = match level {
            PodSecurity::Restricted => VOLUMES.contains(&source.as_str()),
            PodSecurity::Baseline | PodSecurity::Privileged => source != "hostPath",
        };
        if source != "name" && !value.is_null() && !allowed {
            return Err(Fault::at(source, format!("Pod Security {} does not allow this volume", level.label())));
        }
    }
    Ok(())
}

/// The fields that pods and containers share and `baseline` limits.
fn check_shared(context: &Value) -> Result<(), Fault> {
    if !absent_or(&context["seccompProfile"]["type"], &["RuntimeDefault", "Localhost"]) {
        return Err(Fault::at("seccompProfile.type", "Pod Security requires RuntimeDefault or Localhost"));
    }
    if !absent_or(&context["appArmorProfile"]["type"], &["RuntimeDefault", "Localhost"]) {
        return Err(Fault::at("appArmorProfile.type", "Pod Security requires RuntimeDefault or Localhost"));
    }
    let labels = &context["seLinuxOptions"];
    if !absent_or(&labels["type"], SELINUX_TYPES)
        || !absent_or(&labels["user"], &[""])
        || !absent_or(&labels["role"], &[""])
    {
        return Err(Fault::at("seLinuxOptions", "Pod Security does not allow these options"));
    }
    if context["windowsOptions"]["hostProcess"] == true {
        return Err(Fault::at("windowsOptions.hostProcess", "Pod Security does not allow processes of the host"));
    }
    Ok(())
}

fn check_container(container: &Value, pod: &Value, level: PodSecurity) -> Result<(), Fault> {
    if unknown(container) {
        return Ok(());
    }
    let context = &container["securityContext"];
    let within = |fault: Fault| fault.under("securityContext");
    check_host(container)?;
    check_shared(context).map_err(within)?;
    if context["privileged"] == true {
        return Err(within(Fault::at("privileged", "Pod Security does not allow privileged containers")));
    }
    if !absent_or(&context["procMount"], &["Default"]) {
        return Err(within(Fault::at("procMount", "Pod Security requires Default")));
    }
    let allowed = if level == PodSecurity::Restricted { &["NET_BIND_SERVICE"] } else { BASELINE_CAPABILITIES };
    for (index, added) in context["capabilities"]["add"].as_array().into_iter().flatten().enumerate() {
        if !absent_or(added, allowed) {
            let fault = Fault::here("Pod Security does not allow this capability");
            return Err(within(fault.item(index).under("add").under("capabilities")));
        }
    }
    if level == PodSecurity::Restricted { check_restricted(context, pod).map_err(within) } else { Ok(()) }
}

/// Ports and probes that reach past the pod.
fn check_host(container: &Value) -> Result<(), Fault> {
    for (index, port) in container["ports"].as_array().into_iter().flatten().enumerate() {
        if port["hostPort"].as_i64().is_some_and(|number| number != 0) {
            return Err(Fault::at("hostPort", "Pod Security does not allow ports of the node")
                .item(index)
                .under("ports"));
        }
    }
    let hooks = ["postStart", "preStop"].map(|hook| (format!("lifecycle.{hook}"), &container["lifecycle"][hook]));
    let probes = ["livenessProbe", "readinessProbe", "startupProbe"].map(|probe| (probe.to_owned(), &container[probe]));
    for (path, probe) in hooks.into_iter().chain(probes) {
        for handler in ["httpGet", "tcpSocket"] {
            if !absent_or(&probe[handler]["host"], &[""]) {
                return Err(Fault::at(
                    format!("{path}.{handler}.host"),
                    "Pod Security lets probes reach their own pod only",
                ));
            }
        }
    }
    Ok(())
}

fn check_restricted(context: &Value, pod: &Value) -> Result<(), Fault> {
    if unknown(context) {
        return Ok(());
    }
    if !is(&context["allowPrivilegeEscalation"], &Value::Bool(false)) {
        return Err(Fault::at("allowPrivilegeEscalation", "Pod Security restricted requires false"));
    }
    let dropped = &context["capabilities"]["drop"];
    let all = |list: &Vec<Value>| list.iter().any(|item| is(item, &Value::from("ALL")));
    if !unknown(&context["capabilities"]) && !unknown(dropped) && !dropped.as_array().is_some_and(all) {
        return Err(Fault::at("capabilities.drop", "Pod Security restricted requires [ALL]"));
    }
    if unknown(pod) {
        return Ok(());
    }
    // The pod's value is the default of the container.
    let effective = |field: &str| if context[field].is_null() { &pod[field] } else { &context[field] };
    if !is(effective("runAsNonRoot"), &Value::Bool(true)) {
        return Err(Fault::at("runAsNonRoot", "Pod Security restricted requires true, here or for the whole pod"));
    }
    if [context, pod].iter().any(|context| context["runAsUser"] == 0) {
        return Err(Fault::at("runAsUser", "Pod Security restricted does not allow root"));
    }
    let profile = effective("seccompProfile");
    if !unknown(profile) && profile["type"].is_null() {
        return Err(Fault::at("seccompProfile.type", "Pod Security restricted requires RuntimeDefault or Localhost"));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn sound() -> Value {
        json!({"apiVersion": "apps/v1", "kind": "Deployment", "spec": {"template": {"spec": {
            "securityContext": {"runAsNonRoot": true, "seccompProfile": {"type": "RuntimeDefault"}},
            "initContainers": [{"securityContext": {"allowPrivilegeEscalation": false, "capabilities": {"drop": ["ALL"]}}}],
            "containers": [{"securityContext": {"allowPrivilegeEscalation": false, "capabilities": {"drop": ["ALL"]}}}],
            "volumes": [{"name": "a", "emptyDir": {}}]
        }}}})
    }

    fn refused(pointer: &str, key: &str, value: Value) -> String {
        let mut object = sound();
        object.pointer_mut(&format!("/spec/template/spec{pointer}")).unwrap()[key] = value;
        check(&object, PodSecurity::Restricted).expect_err(key).path
    }

    #[test]
    fn what_is_hardened_passes() {
        assert_eq!(check(&sound(), PodSecurity::Restricted), Ok(()));
    }

    #[test]
    fn every_weakening_is_named_by_its_path() {
        let container = "/containers/0/securityContext";
        for (pointer, key, value, path) in [
            ("", "hostNetwork", json!(true), "hostNetwork"),
            ("", "hostPID", json!(true), "hostPID"),
            ("/volumes/0", "hostPath", json!({"path": "/"}), "volumes[0].hostPath"),
            ("/volumes/0", "nfs", json!({}), "volumes[0].nfs"),
            ("/securityContext", "runAsUser", json!(0), "containers[0].securityContext.runAsUser"),
            ("/securityContext", "runAsNonRoot", json!(null), "containers[0].securityContext.runAsNonRoot"),
            ("/securityContext", "seccompProfile", json!(null), "containers[0].securityContext.seccompProfile.type"),
            (
                "/securityContext",
                "seccompProfile",
                json!({"type": "Unconfined"}),
                "securityContext.seccompProfile.type",
            ),
            ("/securityContext", "sysctls", json!([{"name": "kernel.msgmax"}]), "securityContext.sysctls[0].name"),
            ("/securityContext", "seLinuxOptions", json!({"type": "spc_t"}), "securityContext.seLinuxOptions"),
            (container, "privileged", json!(true), "containers[0].securityContext.privileged"),
            (
                container,
                "allowPrivilegeEscalation",
                json!(true),
                "containers[0].securityContext.allowPrivilegeEscalation",
            ),
            (
                container,
                "allowPrivilegeEscalation",
                json!(null),
                "containers[0].securityContext.allowPrivilegeEscalation",
            ),
            (
                container,
                "capabilities",
                json!({"drop": ["NET_RAW"]}),
                "containers[0].securityContext.capabilities.drop",
            ),
            (container, "capabilities", json!(null), "containers[0].securityContext.capabilities.drop"),
            (container, "runAsNonRoot", json!(false), "containers[0].securityContext.runAsNonRoot"),
            (container, "procMount", json!("Unmasked"), "containers[0].securityContext.procMount"),
            ("/containers/0", "ports", json!([{"hostPort": 80}]), "containers[0].ports[0].hostPort"),
            (
                "/containers/0",
                "livenessProbe",
                json!({"httpGet": {"host": "169.254.169.254"}}),
                "containers[0].livenessProbe.httpGet.host",
            ),
            (
                "/containers/0/securityContext/capabilities",
                "add",
                json!(["SYS_ADMIN"]),
                "containers[0].securityContext.capabilities.add[0]",
            ),
        ] {
            let found = refused(pointer, key, value);
            let found = found.strip_prefix("spec.template.spec.").unwrap_or(&found);
            let found = found.replace("initContainers", "containers");
            assert_eq!(found, path, "{key}");
        }
    }

    #[test]
    fn what_is_not_known_yet_is_let_through() {
        let mut object = sound();
        let spec = object.pointer_mut("/spec/template/spec").unwrap();
        spec["containers"][0]["securityContext"] = json!("${parameters.context}");
        spec["hostNetwork"] = json!("${parameters.host}");
        spec["volumes"][0] = json!("${parameters.volume}");
        assert_eq!(check(&object, PodSecurity::Restricted), Ok(()));
    }

    #[test]
    fn baseline_allows_more_and_privileged_all() {
        let mut object = sound();
        object.pointer_mut("/spec/template/spec/containers/0").unwrap()["securityContext"] = json!({});
        assert_eq!(check(&object, PodSecurity::Baseline), Ok(()));
        object.pointer_mut("/spec/template/spec").unwrap()["hostPID"] = json!(true);
        assert!(check(&object, PodSecurity::Baseline).is_err());
        assert_eq!(check(&object, PodSecurity::Privileged), Ok(()));
    }
}
