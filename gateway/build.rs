//! Compiles `proto/fettle/api/v1/gateway.proto` without `protoc`, and keeps its description for gRPC reflection.

fn main() -> Result<(), Box<dyn std::error::Error>> {
    println!("cargo:rerun-if-changed=proto");
    let description = std::path::Path::new(&std::env::var("OUT_DIR")?).join("gateway.fds");
    // With comments, which prost's own encoding of the descriptors would lose on the way to reflection.
    let mut compiler = protox::Compiler::new(["proto"])?;
    compiler.include_source_info(true).include_imports(true).open_file("fettle/api/v1/gateway.proto")?;
    std::fs::write(description, compiler.encode_file_descriptor_set())?;
    tonic_prost_build::configure().compile_fds(compiler.file_descriptor_set())?;
    Ok(())
}
