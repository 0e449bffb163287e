//! Hands CPython's build facts to the compiler as cfgs: `Py_3_10` … `Py_3_15` and `Py_GIL_DISABLED`.

fn main() {
    // Known to the compiler even where no interpreter is looked at (`--no-default-features`).
    println!("cargo:rustc-check-cfg=cfg(Py_GIL_DISABLED)");
    #[cfg(feature = "python")]
    pyo3_build_config::use_pyo3_cfgs();
}
