//! Tests over real sockets with real peers. One binary, so that the engines are linked once; one file a peer or subject.
